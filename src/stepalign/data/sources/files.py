"""Rows of local files: JSONL, JSON, CSV and parquet, or a directory of one of them, a row at a time.

    >>> rows = FileRows(find_files("problems.jsonl"))
    >>> next(iter(rows)).where              # a Row, or a DataError for a row that is none
    'problems.jsonl, line 1'
    >>> next(iter(FileRows(rows.paths, rows.state()))).where        # goes on behind the last row that was given out
    'problems.jsonl, line 2'

A line of JSONL that is no JSON object stops the reading with its number; other rows that cannot be read are given out
as errors, to be counted. JSON is read whole, the others never are.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from stepalign.core.errors import DataError
from stepalign.data.jsonl import Row, parse_line

BATCH_ROWS = 256  # of parquet, decoded at once
LONGEST_FIELD = 2**24  # characters of a CSV field: a long solution is no error

Reader = Callable[[Path, int], Generator["Row | DataError", None, int]]


class FileRows:
    """The rows of the files in order, from where `state` says."""

    def __init__(self, paths: Sequence[Path], state: dict[str, Any] | None = None) -> None:
        self.paths = list(paths)
        self._num_read = state["num_rows"] if state else 0

    def __iter__(self) -> Iterator[Row | DataError]:
        skip = self._num_read
        for path in self.paths:
            reader = READERS[path.suffix.lower()](path, skip)
            while True:
                try:
                    row = next(reader)
                except StopIteration as end:
                    skip = max(0, skip - end.value)
                    break
                self._num_read += 1
                yield row

    def state(self) -> dict[str, Any]:
        """What to go on with behind the last row given out."""
        return {"num_rows": self._num_read}

    def fingerprint(self) -> list[Any]:
        """Changes when the files do."""
        return [[path.name, path.stat().st_size] for path in self.paths]


def is_path(name: str) -> bool:
    """Whether a name is meant as a path and not as a dataset's."""
    return (
        Path(name).suffix.lower() in READERS
        or name.startswith((".", "~", os.sep))
        or name.count("/") > 1
        or (("/" in name or os.sep in name) and Path(name).exists())
    )


def find_files(name: str) -> list[Path]:
    """The file, or the files in a directory in the order of their names.

    Raises:
        DataError: nothing there, no file of a known kind, or files of several kinds.
    """
    path, known = Path(name).expanduser(), ", ".join(READERS)
    if path.is_dir():
        paths = sorted(p for p in path.iterdir() if p.suffix.lower() in READERS)
        if not paths:
            raise DataError(f"{name}: a directory without files of a known kind; expected some of {known}.")
        kinds = sorted({p.suffix.lower() for p in paths})
        if len(kinds) > 1:
            raise DataError(f"{name}: got files of several kinds ({', '.join(kinds)}); expected one kind.")
        return paths
    if not path.is_file():
        raise DataError(f"{name}: no such file; expected a file or a directory of {known}. Check the path.")
    if path.suffix.lower() not in READERS:
        raise DataError(f"{name}: unknown kind of file '{path.suffix}'; expected one of {known}. Rename or convert it.")
    return [path]


def _read_jsonl(path: Path, skip: int) -> Generator[Row | DataError, None, int]:
    count = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if not line.strip():
                continue
            count += 1
            if count > skip:
                yield parse_line(f"{path}, line {number}", line)
    return count


def _read_json(path: Path, skip: int) -> Generator[Row | DataError, None, int]:
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); expected a list of objects. Correct the file.") from None
    if not isinstance(values, list):
        raise DataError(f"{path}: got a {type(values).__name__}; expected a list of objects. Convert it to JSONL.")
    for number, value in enumerate(values[skip:], start=skip + 1):
        where = f"{path}, row {number}"
        yield Row(where, value) if isinstance(value, dict) else DataError(f"{where}: expected a JSON object.")
    return len(values)


def _read_csv(path: Path, skip: int) -> Generator[Row | DataError, None, int]:
    csv.field_size_limit(LONGEST_FIELD)
    count = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for values in reader:
                count += 1
                if count <= skip:
                    continue
                where = f"{path}, line {reader.line_num}"
                if None in values or None in values.values():
                    yield DataError(f"{where}: another number of fields than the header has.")
                else:
                    yield Row(where, dict(values))
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: no CSV in UTF-8 behind row {count} ({error}). Correct the file.") from None
    return count


def _read_parquet(path: Path, skip: int) -> Generator[Row | DataError, None, int]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            count, groups = 0, []
            for group in range(file.num_row_groups):  # row groups that are passed over are not read at all
                num_rows = file.metadata.row_group(group).num_rows
                if skip >= count + num_rows and not groups:
                    count += num_rows
                else:
                    groups.append(group)
            for batch in file.iter_batches(BATCH_ROWS, row_groups=groups, use_threads=False):
                for values in batch.to_pylist():
                    count += 1
                    if count > skip:
                        yield Row(f"{path}, row {count}", values)
            return file.metadata.num_rows
    except pyarrow.ArrowException as error:
        first_line = str(error).splitlines()[0]
        raise DataError(f"{path}: cannot be read as parquet ({first_line}). Check the file.") from None


READERS: dict[str, Reader] = {
    ".jsonl": _read_jsonl, ".json": _read_json, ".csv": _read_csv, ".parquet": _read_parquet
}  # fmt: skip
