"""`stepalign cache`: what the cache of critics' replies holds, and removing some of it.

stepalign cache show
stepalign cache prune --older_than_days 30
stepalign cache prune --model Qwen/QwQ-32B
"""

from __future__ import annotations

import argparse
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from stepalign.core.errors import ConfigError


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "cache", description="Show or prune the cache of critics' replies."
    )
    parser.add_argument("action", nargs="?", choices=["show", "prune"], default="show")
    parser.add_argument("--critic_cache", default="", metavar="FILE", help="the cache file (default: the user's own)")
    parser.add_argument("--older_than_days", type=float, metavar="D", help="prune replies older than this")
    parser.add_argument("--url", default="", help="prune replies of this server")
    parser.add_argument("--model", default="", help="prune replies of this model")
    parser.add_argument("--all", action="store_true", help="prune everything")


def run(args: argparse.Namespace) -> int:
    """Print a table, or the number of replies removed."""
    from stepalign.clients.cache import ReplyCache, default_cache_path

    path = Path(args.critic_cache).expanduser() if args.critic_cache else default_cache_path()
    if args.action == "prune" and not (args.all or args.url or args.model or args.older_than_days is not None):
        raise ConfigError("cache prune: nothing chosen. Give --older_than_days, --url, --model or --all.")
    if not path.exists():
        print(f"{path}: no cache yet")
        return 0
    cache = ReplyCache(path)
    if args.action == "prune":
        before = time.time() - args.older_than_days * 86400 if args.older_than_days is not None else float("inf")
        print(f"{path}: {cache.prune(before=before, url=args.url.rstrip('/'), model=args.model)} replies removed")
    else:
        print(_table(path, cache.entries()))
    cache.close()
    return 0


def _table(path: Path, entries: list[Any]) -> str:
    lines = [f"{path}: {sum(entry.num_replies for entry in entries)} replies, {path.stat().st_size / 1e6:.1f} MB"]
    for entry in entries:
        oldest, newest = (datetime.fromtimestamp(t).strftime("%Y-%m-%d") for t in (entry.oldest, entry.newest))
        lines.append(f"  {entry.num_replies:>8}  {oldest} to {newest}  {entry.model}  {entry.url}")
    return "\n".join(lines)
