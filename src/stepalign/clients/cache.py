"""Replies that were paid for, kept in one sqlite file that several processes may use at once.

The first reply stored under a key stays: whoever asked the same at the same time gets that one back, so that a run
that is repeated comes out the same. Errors are never stored. A file that is no database any more is set aside, with
a warning, and a new one begun.

    >>> cache = ReplyCache(directory / "critic.sqlite")
    >>> cache.put("key", Reply("4"), url="http://127.0.0.1:8000/v1", model="m").text
    '4'
    >>> cache.put("key", Reply("four"), url="http://127.0.0.1:8000/v1", model="m").text
    '4'
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from stepalign.clients.client import Reply
from stepalign.core.errors import CriticError
from stepalign.core.sqlite import Database, connect

log = logging.getLogger(__name__)

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
        self.database = Database(self._open, self._trouble)

    def get(self, key: str) -> Reply | None:
        """The reply that is kept under a key, None where there is none."""
        text = self.database.value("SELECT reply FROM replies WHERE key = ?", key)
        if text is None:
            return None
        try:
            return Reply(**json.loads(text))
        except (ValueError, TypeError):  # no reply of ours: it is asked for again
            self.database.write("DELETE FROM replies WHERE key = ?", key)
            return None

    def put(self, key: str, reply: Reply, *, url: str, model: str) -> Reply:
        """Store a reply unless one is there already, and return the one that is."""
        row = (key, url, model, time.time(), json.dumps(asdict(reply)))
        is_first = self.database.write("INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?, ?)", *row) == 1
        return reply if is_first else self.get(key) or reply

    def entries(self) -> list[CacheEntry]:
        """What is in it, by server and model."""
        query = (
            "SELECT url, model, count(*), sum(length(reply)), min(created), max(created) FROM replies "
            "GROUP BY url, model ORDER BY url, model"
        )
        return [CacheEntry(*row) for row in self.database.rows(query)]

    def prune(self, *, before: float = float("inf"), url: str = "", model: str = "") -> int:
        """Remove replies older than `before` (seconds since 1970), of one server or model where given; their number."""
        delete = "DELETE FROM replies WHERE created < ? AND ? IN ('', url) AND ? IN ('', model)"
        num_removed = self.database.write(delete, before, url, model)
        self.database.write("VACUUM")
        return num_removed

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    def _open(self) -> sqlite3.Connection:
        # one process at a time: sqlite's wait for locks does not cover the switch to WAL, nor a file set aside
        with FileLock(self.path.with_name(f"{self.path.name}.lock"), timeout=BUSY_S):
            try:
                return connect(self.path, TABLE, timeout_s=BUSY_S, check=True)
            except sqlite3.OperationalError:  # locked, full, unwritable: the file itself may be well
                raise
            except sqlite3.DatabaseError as error:
                aside, told = (
                    self._set_aside(),
                    "the critic cache %s is damaged (%s); it is now %s, and a new one begins",
                )
                log.warning(told, self.path, error, aside)
                return connect(self.path, TABLE, timeout_s=BUSY_S, check=True)

    def _set_aside(self) -> Path:
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns()}")
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self.path.replace(aside)
        return aside

    def _trouble(self, error: Exception) -> CriticError:
        return CriticError(
            f"the critic cache {self.path} cannot be used: {error}. Make room on its disk or set critic_cache to "
            "another file; if it is damaged, remove it. Then run the same command again."
        )
