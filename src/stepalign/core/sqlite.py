"""A sqlite file that survives a kill and may be used from several threads and processes; its errors are the user's.

>>> path = directory / "numbers.sqlite"
>>> database = Database(lambda: connect(path, "CREATE TABLE t (x)"), lambda error: StepalignError(f"{path}: {error}"))
>>> with database.transaction() as connection:      # all of it or nothing
...     _ = connection.execute("INSERT INTO t VALUES (1)")
>>> list(database.rows("SELECT x FROM t"))
[(1,)]
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stepalign.core.errors import StepalignError


def connect(path: Path, tables: str, *, timeout_s: float = 5.0, check: bool = False) -> sqlite3.Connection:
    """Open a file, a new one where there is none; each statement is a transaction of its own.

    Args:
        tables: statements that make the tables that are missing.
        timeout_s: how long to wait for another process's write.
        check: look through the whole file for damage.
    Raises:
        sqlite3.Error: also where it is damaged.
    """
    # any thread, one at a time: an event loop may run in another thread than its maker's
    connection = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(tables)
        problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0] if check else "ok"
        if problem != "ok":
            raise sqlite3.DatabaseError(problem)
    except BaseException:
        connection.close()
        raise
    return connection


class Database:
    """An open file.

    Args:
        opens: opens it, such as a `partial` of `connect`.
        trouble: makes, of what sqlite or the system raises, the error that the user sees.
    """

    def __init__(self, opens: Callable[[], sqlite3.Connection], trouble: Callable[[Exception], StepalignError]) -> None:
        self._lock, self._trouble = threading.Lock(), trouble
        with self._guard():
            self.connection = opens()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._guard():
            return self.connection.execute(query, values).fetchall()

    def each(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, one at a time."""
        with self._guard():
            cursor = self.connection.execute(query, values)
        while True:
            with self._guard():
                row = cursor.fetchone()
            if row is None:
                return
            yield row

    def value(self, query: str, *values: object) -> Any:
        """The first value of the first row, None where there is no row."""
        rows = self.rows(query, *values)
        return rows[0][0] if rows else None

    def write(self, statement: str, *values: object) -> int:
        """Do one statement; the number of rows that it changed."""
        with self._guard():
            return self.connection.execute(statement, values).rowcount

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """All that is done in it is done together or not at all."""
        with self._guard():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    @contextmanager
    def _guard(self) -> Generator[None]:
        try:
            with self._lock:
                yield
        except (sqlite3.Error, OSError) as error:
            raise self._trouble(error) from None
