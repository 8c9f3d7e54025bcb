"""Replies that were paid for, kept in one sqlite file that several processes may use at once.

The first reply stored under a key stays: whoever asked the same at the same time gets that one back, so that a run
that is repeated comes out the same. Errors are never stored. A file that is no database any more is set aside, with
a warning, and a new one begun.

    cache = ReplyCache(default_cache_path())
    reply = cache.get(key) or cache.put(key, Reply("..."), url="http://...", model="m")
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, TypeVar

from filelock import FileLock

from stepalign.core.errors import CriticError
from stepalign.feedback.critics.writer import Reply

log = logging.getLogger(__name__)
T = TypeVar("T")

BUSY_S = 60.0  # how long to wait for another process's write
TABLE = """CREATE TABLE IF NOT EXISTS replies
(key TEXT PRIMARY KEY, url TEXT, model TEXT, created REAL, reply TEXT) WITHOUT ROWID"""


class CacheEntry(NamedTuple):
    """What the cache holds of one model at one server."""

    url: str
    model: str
    num_replies: int
    num_bytes: int
    oldest: float
    newest: float


def default_cache_path() -> Path:
    """critic.sqlite in $STEPALIGN_CACHE, else in $XDG_CACHE_HOME/stepalign, else in ~/.cache/stepalign."""
    own, shared = os.environ.get("STEPALIGN_CACHE"), os.environ.get("XDG_CACHE_HOME")
    directory = Path(own) if own else (Path(shared) if shared else Path.home() / ".cache") / "stepalign"
    return directory / "critic.sqlite"


class ReplyCache:
    """An open cache. All its errors are CriticErrors that name the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CriticError(f"cannot create {path.parent} for the critic cache: {error}. Set critic_cache.") from None
        self._connection = self._guard(self._open)

    def get(self, key: str) -> Reply | None:
        rows = self._guard(
            lambda: self._connection.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchall()
        )
        return Reply(**json.loads(rows[0][0])) if rows else None

    def put(self, key: str, reply: Reply, *, url: str, model: str) -> Reply:
        """Store a reply unless one is there already, and return the one that is."""
        row = (key, url, model, time.time(), json.dumps(asdict(reply)))
        insert = "INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?, ?)"
        is_first = self._guard(lambda: self._connection.execute(insert, row)).rowcount == 1
        return reply if is_first else self.get(key) or reply

    def entries(self) -> list[CacheEntry]:
        """What is in it, by server and model."""
        query = (
            "SELECT url, model, count(*), sum(length(reply)), min(created), max(created) FROM replies "
            "GROUP BY url, model ORDER BY url, model"
        )
        return [CacheEntry(*row) for row in self._guard(lambda: self._connection.execute(query).fetchall())]

    def prune(self, *, before: float = float("inf"), url: str = "", model: str = "") -> int:
        """Remove replies older than `before` (seconds since 1970), of one server or model where given; their number."""

        def remove() -> int:
            cursor = self._connection.execute(
                "DELETE FROM replies WHERE created < ? AND ? IN ('', url) AND ? IN ('', model)", (before, url, model)
            )
            self._connection.execute("VACUUM")
            return cursor.rowcount

        return self._guard(remove)

    def close(self) -> None:
        self._connection.close()

    def _open(self) -> sqlite3.Connection:
        # one process at a time: sqlite's wait for locks does not cover the switch to WAL, nor a file set aside
        with FileLock(self.path.with_name(f"{self.path.name}.lock"), timeout=BUSY_S):
            return self._connect_or_begin_anew()

    def _connect_or_begin_anew(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # locked, full, unwritable: the file itself may be well
                raise
            aside = self._set_aside()
            log.warning(
                "the critic cache %s is damaged (%s); it is now %s, and a new one begins", self.path, error, aside
            )
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        # the critic's event loop may run in another thread than its maker's; calls never overlap
        connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(TABLE)
            problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if problem != "ok":
                raise sqlite3.DatabaseError(problem)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self) -> Path:
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns()}")
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self.path.replace(aside)
        return aside

    def _guard(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except (sqlite3.Error, OSError) as error:
            raise CriticError(
                f"the critic cache {self.path} cannot be used: {error}. Make room on its disk or set critic_cache to "
                "another file; if it is damaged, remove it. Then run the same command again."
            ) from None
