import sqlite3

import pytest

from stepalign.core.errors import DataError
from stepalign.core.problem import Problem
from stepalign.curation.overlap import runs
from stepalign.curation.store import Decision, Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "deep" / "curation.sqlite")


def kept(position: int) -> Decision:
    return Decision(position, f"p{position}", problem=Problem(f"p{position}", f"text {position}", "1"))


def test_decisions_are_kept_with_the_place_to_go_on(store):
    assert store.state() is None and store.num_kept == 0
    store.commit([kept(0), Decision(1, "b", "solve_rate", "too_hard"), kept(2), kept(3)], {"num_rows": 4})
    again = Store(store.path)
    assert again.state() == {"num_rows": 4} and again.num_kept == store.num_kept == 3
    last = again.last_position(2)
    assert last == 2 and again.last_position(0) == again.last_position(9) == 3
    assert [row["id"] for row in again.kept(last)] == ["p0", "p2"]
    assert again.counts(last) == {("", ""): 2, ("solve_rate", "too_hard"): 1}


def test_a_row_is_decided_once_and_a_failed_commit_changes_nothing(store):
    store.commit([kept(0)], {"num_rows": 1})
    with pytest.raises(DataError, match="cannot be used"):
        store.commit([Decision(1, stage="wanted"), kept(0)], {"num_rows": 2})
    assert store.state() == {"num_rows": 1} and store.counts(9) == {("", ""): 1}
    store.commit([kept(1)], {"num_rows": 2})  # and it can go on
    assert store.num_kept == 2


def test_only_earlier_rows_count_as_the_same_text(store):
    store.remember_text(5, position=10)
    assert store.has_earlier(5, 11) and not store.has_earlier(5, 10) and not store.has_earlier(5, 9)
    store.remember_text(5, position=9)
    assert store.has_earlier(5, 10)
    store.remember_text(5, position=10)
    assert store.has_earlier(5, 10)


def test_nearest_earlier_row(store):
    store.remember_runs(runs("a b c d e f", 2), 0)
    store.remember_runs(runs("a b c x y z", 2), 1)
    assert store.nearest(runs("a b c d", 2), 2) == (1.0, 0)
    assert store.nearest(runs("a b c d", 2), 0) == (0.0, -1)
    assert store.nearest(runs("x y z", 2), 2) == (1.0, 1)
    assert store.nearest(runs("q r", 2), 2) == (0.0, -1)
    assert store.nearest(set(range(1200)), 2) == (0.0, -1)  # more runs than one statement takes


def test_notes(store):
    assert store.note("settings") is None
    store.set_note("settings", {"a": [1]})
    assert Store(store.path).note("settings") == {"a": [1]}


def test_a_damaged_file_is_a_clear_message(tmp_path):
    (tmp_path / "s").write_text("no database" * 100)
    with pytest.raises(DataError, match=r"s cannot be used: file is not a database"):
        Store(tmp_path / "s")


def test_a_reader_sees_all_of_a_commit_or_nothing(store):
    store.commit([kept(i) for i in range(5)], {"num_rows": 5})
    reader = sqlite3.connect(store.path)
    assert reader.execute("SELECT count(*) FROM rows").fetchone() == (5,)
