"""`stepalign cache`: what the cache of critics' replies holds, and removing some of it.

stepalign cache show
stepalign cache prune --older_than_days 30
stepalign cache prune --model Qwen/QwQ-32B
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stepalign.cli.words import asks_for_help
from stepalign.core.errors import ConfigError
from stepalign.settings.command_groups import CacheSettings
from stepalign.settings.commands import CACHE
from stepalign.settings.given import read_given

if TYPE_CHECKING:
    from stepalign.clients.cache import CacheEntry


def run(argv: Sequence[str]) -> None:
    """Print a table, or the number of replies removed."""
    if asks_for_help(CACHE, argv):
        return
    args = read_given(CACHE, argv).make(CacheSettings)
    from stepalign.clients.cache import ReplyCache, default_cache_path

    path = Path(args.critic_cache).expanduser() if args.critic_cache else default_cache_path()
    if args.action == "prune" and not (args.all or args.url or args.model or args.older_than_days is not None):
        raise ConfigError("cache prune: nothing chosen. Give --older_than_days, --url, --model or --all.")
    if not path.exists():
        print(f"{path}: no cache yet")
        return
    cache = ReplyCache(path)
    if args.action == "prune":
        before = time.time() - args.older_than_days * 86400 if args.older_than_days is not None else float("inf")
        print(f"{path}: {cache.prune(before=before, url=args.url.rstrip('/'), model=args.model)} replies removed")
    else:
        print(_table(path, cache.entries()))
    cache.close()


def _table(path: Path, entries: Sequence[CacheEntry]) -> str:
    lines = [f"{path}: {sum(entry.num_replies for entry in entries)} replies, {path.stat().st_size / 1e6:.1f} MB"]
    for entry in entries:
        oldest, newest = (datetime.fromtimestamp(t).strftime("%Y-%m-%d") for t in (entry.oldest, entry.newest))
        lines.append(f"  {entry.num_replies:>8}  {oldest} to {newest}  {entry.model}  {entry.url}")
    return "\n".join(lines)
