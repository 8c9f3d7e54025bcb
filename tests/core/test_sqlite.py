import sqlite3
from functools import partial

import pytest

from stepalign.core.errors import DataError
from stepalign.core.sqlite import Database, connect

TABLE = "CREATE TABLE IF NOT EXISTS t (x INTEGER PRIMARY KEY)"


@pytest.fixture
def database(tmp_path):
    return Database(partial(connect, tmp_path / "d", TABLE), lambda error: DataError(f"d: {error}"))


def test_what_is_written_is_read(database):
    assert database.value("SELECT x FROM t") is None
    assert database.write("INSERT INTO t VALUES (?)", 1) == 1
    assert database.write("INSERT OR IGNORE INTO t VALUES (?)", 1) == 0
    database.write("INSERT INTO t VALUES (2)")
    assert database.rows("SELECT x FROM t") == list(database.each("SELECT x FROM t")) == [(1,), (2,)]
    assert database.value("SELECT max(x) FROM t WHERE x < ?", 2) == 1


def test_a_transaction_is_done_whole_or_not_at_all(database):
    with pytest.raises(DataError, match="d: UNIQUE"), database.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
        connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        connection.execute(f"INSERT INTO t VALUES ({1 / 0})")
    assert database.rows("SELECT x FROM t") == []
    with database.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
    assert database.rows("SELECT x FROM t") == [(1,)]


def test_others_see_nothing_before_its_end(database, tmp_path):
    with database.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
        other = connect(tmp_path / "d", TABLE)
        assert other.execute("SELECT count(*) FROM t").fetchone() == (0,)
    assert other.execute("SELECT count(*) FROM t").fetchone() == (1,)
    other.close()


def test_trouble_is_the_users_error(database, tmp_path):
    with pytest.raises(DataError, match="d: no such table"):
        database.rows("SELECT x FROM u")
    with pytest.raises(sqlite3.OperationalError):
        connect(tmp_path, TABLE)
