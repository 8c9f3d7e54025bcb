"""Rows of one file of each kind, from a row on: a `Row`, or a DataError for one that is none.

    >>> next(read_file(Path("problems.jsonl"), skip=1)).where
    'problems.jsonl, line 2'

JSON is read whole, the others never are. What makes the rest of a file unreadable, such as a quote that never closes,
is raised.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from stepalign.core.errors import DataError
from stepalign.data.row import BrokenLine, Row, show
from stepalign.data.sources.json_values import rows_in, values_in
from stepalign.data.sources.kinds import START, Kind, dialect_of, opened, recognize_kind, unpacking

BATCH_ROWS = 256  # of parquet, decoded at once
LONGEST_FIELD = 2**27  # characters of a CSV field: a long solution is no error

Rows = Iterator["Row | DataError"]


def read_file(path: Path, skip: int = 0, has_header: bool = True) -> Rows:
    """The rows behind the first `skip`; a table without a header has its columns' numbers, from 1, for names.

    Raises:
        DataError: the file cannot be read, or not any further.
    """
    kind = recognize_kind(path)
    with unpacking(path):
        if kind is Kind.TABLE:
            yield from _read_table(path, skip, has_header)
        elif kind is not None:
            yield from READERS[kind](path, skip)


def count_rows(path: Path, has_header: bool = True) -> int:
    """How many rows a file has; those of JSONL and parquet are not decoded for it."""
    kind = recognize_kind(path)
    if kind is Kind.PARQUET:
        import pyarrow.parquet

        with opened(path) as file:
            return pyarrow.parquet.read_metadata(file).num_rows
    if kind is Kind.JSONL:
        with opened(path) as file:
            return sum(1 for line in file if line.strip())
    return sum(1 for _ in read_file(path, 0, has_header))


def parse_line(where: str, line: bytes) -> Row | BrokenLine:
    """The row of one line of JSONL, or what is wrong with it; `where` opens the message."""
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return BrokenLine(f"{where}: byte {error.start + 1} is not UTF-8. Save the file as UTF-8.")
    except (ValueError, RecursionError) as error:
        return BrokenLine(f"{where}: not JSON ({error}); expected one JSON object a line. Correct the line.")
    if not isinstance(value, dict):
        return BrokenLine(f"{where}: got {show(value)}; expected a JSON object. Correct the line.")
    return Row(where, cast("dict[str, Any]", value))


def _read_jsonl(path: Path, skip: int) -> Rows:
    count = 0
    with opened(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                count += 1
                if count > skip:
                    yield parse_line(f"{path}, line {number}", line)


def _read_json(path: Path, skip: int) -> Rows:
    try:
        with opened(path) as file:
            values = rows_in(values_in(file.read().decode("utf-8")))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start + 1} is not UTF-8. Save the file as UTF-8.") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); expected a list of objects. Correct the file.") from None
    if isinstance(values, str):
        raise DataError(f"{path}: {values}; expected a list of objects, or an object with one. Convert it to JSONL.")
    for number, value in enumerate(values[skip:], start=skip + 1):
        where = f"{path}, row {number}"
        yield Row(where, value) if isinstance(value, dict) else DataError(f"{where}: expected a JSON object.")


def _read_table(path: Path, skip: int, has_header: bool) -> Rows:
    csv.field_size_limit(LONGEST_FIELD)
    with opened(path) as file:
        start = file.read(START)
    dialect = dialect_of(start, len(start) < START)
    assert dialect is not None
    lines = _Lines(path, only_returns=b"\n" not in start)
    quoting = csv.QUOTE_MINIMAL if dialect.is_quoted else csv.QUOTE_NONE
    delimiter, spaces = dialect.delimiter, dialect.skips_spaces
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, skipinitialspace=spaces, strict=True)
    names: list[str] = []
    count, line = 0, 1
    try:
        for record in reader:
            where, line = f"{path}, line {line}", lines.number + 1
            if not any(record) or (not names and record[0].startswith("sep=")):
                continue
            if not names:
                names = _names(path, record, has_header)
                if has_header:
                    continue
            count += 1
            if count > skip:
                yield _record(where, names, record)
    except csv.Error as error:
        raise DataError(
            f"{path}, line {line}: no CSV ({error}). Double a quote within quotes, and close each. Correct it."
        ) from None


class _Lines:
    """The lines of a table as text; says where one is not in UTF-8."""

    def __init__(self, path: Path, only_returns: bool) -> None:
        self.number = 0
        self._lines = self._read(path, only_returns)

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def _read(self, path: Path, only_returns: bool) -> Iterator[str]:
        with opened(path) as file:
            for line in file.read().replace(b"\r", b"\n").splitlines(keepends=True) if only_returns else file:
                self.number += 1
                try:
                    yield line.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"{path}, line {self.number}: no CSV in UTF-8 (byte {error.start + 1}). Save the file as UTF-8."
                    ) from None


def _names(path: Path, record: list[str], has_header: bool) -> list[str]:
    """The names of the columns; numbers where there is no header."""
    if not has_header:
        if all(field.strip().isdigit() for field in record):
            raise DataError(f"{path}: the first line has numbers only. Name the columns there, and use those names.")
        return [str(number) for number in range(1, len(record) + 1)]
    names = [name.strip() or f"({number})" for number, name in enumerate(record, start=1)]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise DataError(f"{path}: two columns are named '{twice}'. Rename one of them.")
    return names


def _record(where: str, names: list[str], record: list[str]) -> Row | DataError:
    if len(record) != len(names):
        return DataError(f"{where}: another number of fields than the header has ({len(record)}, not {len(names)}).")
    return Row(where, dict(zip(names, record, strict=True)))


def _read_parquet(path: Path, skip: int) -> Rows:
    import pyarrow
    import pyarrow.parquet

    try:
        with opened(path) as binary, pyarrow.parquet.ParquetFile(binary) as file:
            count, groups = 0, []
            for group in range(file.num_row_groups):  # row groups that are passed over are not read at all
                num_rows = file.metadata.row_group(group).num_rows
                if skip >= count + num_rows and not groups:
                    count += num_rows
                else:
                    groups.append(group)
            batches = file.iter_batches(BATCH_ROWS, row_groups=groups, use_threads=False)
            yield from _rows_of(path, batches, count, skip)
    except pyarrow.ArrowException as error:
        first_line = str(error).splitlines()[0]
        raise DataError(f"{path}: cannot be read as parquet ({first_line}). Check the file.") from None


def _read_arrow(path: Path, skip: int) -> Rows:
    import pyarrow

    try:
        with opened(path) as file:
            if file.read(6) == b"ARROW1":
                reader = pyarrow.ipc.open_file(path)
                batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
            else:
                file.seek(0)
                batches = pyarrow.ipc.open_stream(file)
            yield from _rows_of(path, batches, 0, skip)
    except pyarrow.ArrowException as error:
        first_line = str(error).splitlines()[0]
        raise DataError(f"{path}: cannot be read as Arrow ({first_line}). Check the file.") from None


def _rows_of(path: Path, batches: Any, count: int, skip: int) -> Rows:
    """Rows of record batches; `count` rows stand before them."""
    import numpy
    import pyarrow

    for batch in batches:
        if count + batch.num_rows <= skip:
            count += batch.num_rows
            continue
        short = [f.name for f in batch.schema if f.type in (pyarrow.float32(), pyarrow.float16())]
        for values in batch.to_pylist():
            count += 1
            if count > skip:
                for name in short:  # 0.1 in single precision is 0.1, not 0.10000000149011612
                    if values[name] is not None:
                        values[name] = float(str(numpy.float32(values[name])))
                yield Row(f"{path}, row {count}", values)


READERS: Mapping[Kind, Callable[[Path, int], Rows]] = {
    Kind.JSONL: _read_jsonl,
    Kind.JSON: _read_json,
    Kind.PARQUET: _read_parquet,
    Kind.ARROW: _read_arrow,
}
