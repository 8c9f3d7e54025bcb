"""What is decided, in one sqlite file: a row for each row of the source, and the index by which duplicates are found.

Decisions and the place where the source goes on are committed together, so a kill at any moment neither loses nor
repeats a decision. The index may know rows that are not decided yet: a row is only ever compared with earlier ones, so
going through it again changes nothing.

    >>> store = Store(directory / "curation.sqlite")
    >>> store.commit([Verdict(position=0, id="p1", stage="first_seen")], {"num_rows": 1})
    >>> store.state(), store.num_kept
    ({'num_rows': 1}, 0)
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from stepalign.core.errors import DataError
from stepalign.core.problem import Problem

T = TypeVar("T")
MOST_VARIABLES = 500  # of one sqlite statement
TABLES = """
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rows
    (position INTEGER PRIMARY KEY, id TEXT, stage TEXT, reason TEXT, detail TEXT, problem TEXT);
CREATE INDEX IF NOT EXISTS kept ON rows (position) WHERE stage = '';
CREATE TABLE IF NOT EXISTS texts (key INTEGER PRIMARY KEY, position INTEGER);
CREATE TABLE IF NOT EXISTS sizes (position INTEGER PRIMARY KEY, num_runs INTEGER);
CREATE TABLE IF NOT EXISTS runs (run INTEGER, position INTEGER, PRIMARY KEY (run, position)) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Verdict:
    """What became of one row: the stage that it did not pass and why; no stage: it is kept, and has its problem."""

    position: int
    id: str = ""
    stage: str = ""
    reason: str = ""
    detail: dict[str, Any] = field(default_factory=dict[str, Any])
    problem: Problem | None = None


class Store:
    """An open file; may be used from several threads. Its errors are DataErrors that name the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = self._guard(self._connect)
        self.num_kept = self._guard(lambda: self._one("SELECT count(*) FROM rows WHERE stage = ''"))

    def note(self, name: str) -> Any:
        """A note that was set, None where it was not."""
        text = self._guard(lambda: self._one("SELECT value FROM notes WHERE name = ?", name))
        return None if text is None else json.loads(text)

    def set_note(self, name: str, value: Any) -> None:
        self._write(lambda: self._set_note(name, value))

    def state(self) -> dict[str, Any] | None:
        """Where the source goes on; None: at its start."""
        return self.note("state")

    def commit(self, verdicts: Iterable[Verdict], state: dict[str, Any]) -> None:
        """Decide rows, and say where the source goes on behind them; both or neither."""
        rows = [
            (v.position, v.id, v.stage, v.reason, json.dumps(v.detail) if v.detail else None, _problem_json(v))
            for v in verdicts
        ]

        def write() -> None:
            self._connection.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._set_note("state", state)

        self._write(write)
        self.num_kept += sum(not stage for _, _, stage, *_ in rows)

    def last_position(self, num_kept: int) -> int:
        """The position of the `num_kept`-th row that is kept; with 0 or where there are fewer, of the last row."""
        kept = "SELECT position FROM rows WHERE stage = '' ORDER BY position LIMIT 1 OFFSET ?"
        position = self._guard(lambda: self._one(kept, num_kept - 1)) if num_kept else None
        return self._guard(lambda: self._one("SELECT max(position) FROM rows")) if position is None else position

    def counts(self, last: int | None) -> Counter[tuple[str, str]]:
        """Rows by stage and reason, up to the position `last`."""
        query = "SELECT stage, reason, count(*) FROM rows WHERE position <= ? GROUP BY stage, reason"
        rows = self._guard(lambda: self._connection.execute(query, (-1 if last is None else last,)).fetchall())
        return Counter({(stage, reason): count for stage, reason, count in rows})

    def kept(self, last: int | None) -> Iterator[dict[str, Any]]:
        """The problems that are kept, up to the position `last`, one at a time, as rows of `problems.jsonl`."""
        query = "SELECT problem FROM rows WHERE stage = '' AND position <= ? ORDER BY position"
        cursor = self._guard(lambda: self._connection.execute(query, (-1 if last is None else last,)))
        while (row := self._guard(cursor.fetchone)) is not None:
            yield json.loads(row[0])

    def has_earlier(self, key: int, position: int) -> bool:
        """Whether an earlier row has the same text."""
        first = self._guard(lambda: self._one("SELECT position FROM texts WHERE key = ?", key))
        return first is not None and first < position

    def remember_text(self, key: int, position: int) -> None:
        """Let later rows find this one by `has_earlier`."""
        upsert = "INSERT INTO texts VALUES (?, ?) ON CONFLICT DO UPDATE SET position = min(position, excluded.position)"
        self._write(lambda: self._connection.execute(upsert, (key, position)))

    def nearest(self, runs: set[int], position: int) -> tuple[float, int]:
        """The largest overlap with an earlier row, and its position; 0 and -1 where there is none."""
        shared: Counter[int] = Counter()
        ordered = sorted(runs)
        for at in range(0, len(ordered), MOST_VARIABLES):
            some = ordered[at : at + MOST_VARIABLES]
            marks = ",".join("?" * len(some))
            query = f"SELECT position, count(*) FROM runs WHERE run IN ({marks}) AND position < ? GROUP BY position"
            found = self._guard(lambda q=query, s=some: self._connection.execute(q, (*s, position)).fetchall())
            shared.update(dict(found))
        best, owner = 0.0, -1
        for other, count in sorted(shared.items()):
            size = self._guard(lambda o=other: self._one("SELECT num_runs FROM sizes WHERE position = ?", o))
            share = count / min(len(runs), size)
            best, owner = (share, other) if share > best else (best, owner)
        return best, owner

    def remember_runs(self, runs: set[int], position: int) -> None:
        """Let later rows find this one by `nearest`."""
        self._write(lambda: self._remember(sorted(runs), position))

    def close(self) -> None:
        self._connection.close()

    def _remember(self, runs: list[int], position: int) -> None:
        self._connection.execute("INSERT OR REPLACE INTO sizes VALUES (?, ?)", (position, len(runs)))
        self._connection.executemany("INSERT OR IGNORE INTO runs VALUES (?, ?)", ((run, position) for run in runs))

    def _set_note(self, name: str, value: Any) -> None:
        self._connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, json.dumps(value)))

    def _one(self, query: str, *values: Any) -> Any:
        row = self._connection.execute(query, values).fetchone()
        return None if row is None else row[0]

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(TABLES)
        return connection

    def _write(self, action: Callable[[], object]) -> None:
        def whole() -> None:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                action()
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

        self._guard(whole)

    def _guard(self, action: Callable[[], T]) -> T:
        try:
            with self._lock:
                return action()
        except sqlite3.Error as error:
            raise DataError(
                f"{self.path} cannot be used: {error}. Make room on its disk, or choose another output_dir."
            ) from None


def _problem_json(verdict: Verdict) -> str | None:
    return None if verdict.problem is None or verdict.stage else json.dumps(verdict.problem.to_json())
