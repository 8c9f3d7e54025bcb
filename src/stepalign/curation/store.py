"""What is decided, in one sqlite file: a row for each row of the source, and the index by which duplicates are found.

Decisions and the place where the source goes on are committed together, so a kill at any moment neither loses nor
repeats a decision. The index may know rows that are not decided yet: a row is only ever compared with earlier ones, so
going through it again changes nothing.

    >>> store = Store(directory / "curation.sqlite")
    >>> store.commit([Decision(position=0, id="p1", stage="first_seen")], {"num_rows": 1})
    >>> store.state(), store.num_kept
    ({'num_rows': 1}, 0)
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from stepalign.core.errors import DataError
from stepalign.core.problem import Problem
from stepalign.core.sqlite import Database, connect

MOST_VARIABLES = 500  # of one sqlite statement
SET_NOTE = "INSERT OR REPLACE INTO notes VALUES (?, ?)"
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
class Decision:
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
        self.database = Database(partial(connect, path, TABLES), self._trouble)
        self.num_kept: int = self.database.value("SELECT count(*) FROM rows WHERE stage = ''")

    def note(self, name: str) -> Any:
        """A note that was set, None where it was not."""
        text = self.database.value("SELECT value FROM notes WHERE name = ?", name)
        return None if text is None else json.loads(text)

    def set_note(self, name: str, value: object) -> None:
        """Keep a value that can be JSON under a name."""
        self.database.write(SET_NOTE, name, json.dumps(value))

    def state(self) -> dict[str, Any] | None:
        """Where the source goes on; None: at its start."""
        return self.note("state")

    def commit(self, decisions: Iterable[Decision], state: dict[str, Any]) -> None:
        """Decide rows, and say where the source goes on behind them; both or neither."""
        rows = [
            (d.position, d.id, d.stage, d.reason, json.dumps(d.detail) if d.detail else None, _problem_json(d))
            for d in decisions
        ]
        with self.database.transaction() as connection:
            connection.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)", rows)
            connection.execute(SET_NOTE, ("state", json.dumps(state)))
        self.num_kept += sum(not stage for _, _, stage, *_ in rows)

    def last_position(self, num_kept: int) -> int:
        """The position of the `num_kept`-th row that is kept; with 0 or where there are fewer, of the last row."""
        kept = "SELECT position FROM rows WHERE stage = '' ORDER BY position LIMIT 1 OFFSET ?"
        position = self.database.value(kept, num_kept - 1) if num_kept else None
        return self.database.value("SELECT max(position) FROM rows") if position is None else position

    def counts(self, last: int | None) -> Counter[tuple[str, str]]:
        """Rows by stage and reason, up to the position `last`."""
        query = "SELECT stage, reason, count(*) FROM rows WHERE position <= ? GROUP BY stage, reason"
        rows = self.database.rows(query, -1 if last is None else last)
        return Counter({(stage, reason): count for stage, reason, count in rows})

    def kept(self, last: int | None) -> Iterator[dict[str, Any]]:
        """The problems that are kept, up to the position `last`, one at a time, as rows of `problems.jsonl`."""
        query = "SELECT problem FROM rows WHERE stage = '' AND position <= ? ORDER BY position"
        for (problem,) in self.database.each(query, -1 if last is None else last):
            yield json.loads(problem)

    def has_earlier(self, key: int, position: int) -> bool:
        """Whether an earlier row has the same text."""
        first = self.database.value("SELECT position FROM texts WHERE key = ?", key)
        return first is not None and first < position

    def remember_text(self, key: int, position: int) -> None:
        """Let later rows find this one by `has_earlier`."""
        upsert = "INSERT INTO texts VALUES (?, ?) ON CONFLICT DO UPDATE SET position = min(position, excluded.position)"
        self.database.write(upsert, key, position)

    def nearest(self, runs: set[int], position: int) -> tuple[float, int]:
        """The largest overlap with an earlier row, and its position; 0 and -1 where there is none."""
        shared: Counter[int] = Counter()
        ordered = sorted(runs)
        for at in range(0, len(ordered), MOST_VARIABLES):
            some = ordered[at : at + MOST_VARIABLES]
            marks = ",".join("?" * len(some))
            query = f"SELECT position, count(*) FROM runs WHERE run IN ({marks}) AND position < ? GROUP BY position"
            shared.update(dict(self.database.rows(query, *some, position)))
        best, owner = 0.0, -1
        for other, count in sorted(shared.items()):
            size = self.database.value("SELECT num_runs FROM sizes WHERE position = ?", other)
            share = count / min(len(runs), size)
            best, owner = (share, other) if share > best else (best, owner)
        return best, owner

    def remember_runs(self, runs: set[int], position: int) -> None:
        """Let later rows find this one by `nearest`."""
        with self.database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO sizes VALUES (?, ?)", (position, len(runs)))
            connection.executemany(
                "INSERT OR IGNORE INTO runs VALUES (?, ?)", ((run, position) for run in sorted(runs))
            )

    def clear(self) -> None:
        """Forget everything."""
        with self.database.transaction() as connection:
            for table in ("notes", "rows", "texts", "sizes", "runs"):
                connection.execute(f"DELETE FROM {table}")

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    def _trouble(self, error: Exception) -> DataError:
        return DataError(f"{self.path} cannot be used: {error}. Make room on its disk, or choose another output_dir.")


def _problem_json(decision: Decision) -> str | None:
    return None if decision.problem is None or decision.stage else json.dumps(decision.problem.to_json())
