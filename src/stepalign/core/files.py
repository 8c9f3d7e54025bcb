"""Files of a run that survive a kill: JSON written whole or not at all, JSONL appended a line at a time.

>>> append_jsonl(directory / "metrics.jsonl", {"step": 1, "loss": 0.2})
>>> read_jsonl(directory / "metrics.jsonl")     # a half-written last line is dropped
[{'step': 1, 'loss': 0.2}]
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from stepalign.core.errors import DataError
from stepalign.core.text import clean_text, parse_json


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in one atomic rename, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(clean_text(text))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Atomically write `value` as indented JSON; NaN and infinity become errors, not invalid JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The value of a JSON file that this program wrote.

    Raises:
        DataError: the file is missing or no JSON.
    """
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}.") from None


def append_jsonl(path: Path, *rows: dict[str, Any]) -> None:
    """Append rows and flush them to disk before returning; a line that a kill cut off before is removed first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    with path.open("ab+") as file:
        _drop_cut_off_line(file)
        file.write(text.encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())


def _drop_cut_off_line(file: BinaryIO) -> None:
    end = file.seek(0, os.SEEK_END)
    while end:  # back to the last line feed, in most cases the last byte
        start = max(0, end - 65536)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            file.truncate(start + newline + 1)
            return
        end = start
    file.truncate(0)


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Atomically write all rows."""
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The rows of a file that this program appended; a last line cut off by a kill is dropped, a missing file is empty.

    Raises:
        DataError: a line other than the last is not JSON.
    """
    return list(stream_jsonl(path))


def stream_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """`read_jsonl` one row at a time."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):  # cut off
                return
            try:
                if line.strip():
                    yield parse_json(line)
            except ValueError:
                raise DataError(f"{path}, line {number}: got no JSON object. Remove the line and run again.") from None


def keep_rows(path: Path, keep: Callable[[dict[str, Any]], bool]) -> None:
    """Rewrite a JSONL file with only the rows for which `keep` is true; also mends a cut-off last line."""
    if path.exists():
        write_jsonl(path, [row for row in read_jsonl(path) if keep(row)])


@contextmanager
def exclusive(directory: Path, timeout_s: float = 10.0) -> Generator[None]:
    """Hold a directory for this process; the system lets go of it when the process dies, however it dies.

    Raises:
        DataError: another process holds it and does not let go within `timeout_s`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(directory / ".lock", timeout=timeout_s):
            yield
    except Timeout:
        raise DataError(
            f"{directory} is in use by another process. Wait for it or stop it, or choose another directory."
        ) from None
