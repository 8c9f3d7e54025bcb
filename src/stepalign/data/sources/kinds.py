"""What kind of file it is, told by what stands in it and not by its name; and its bytes, unpacked and in UTF-8.

>>> recognize_kind(Path("problems.jsonl"))
<Kind.JSONL: 'JSONL'>
"""

from __future__ import annotations

import codecs
import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from stepalign.core.errors import DataError, first_line
from stepalign.data.sources.json_values import is_row

GZIP = b"\x1f\x8b"
START = 2**18  # bytes by which a file is recognized
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
FOREIGN = {
    b"PK\x03\x04": "a zip file or a spreadsheet; unpack it, or save the sheet as CSV",
    b"PK\x05\x06": "an empty zip file",
    b"%PDF": "a PDF",
    b"\x28\xb5\x2f\xfd": "packed with zstd; unpack it",
    b"BZh": "packed with bzip2; unpack it",
    b"\xfd7zXZ": "packed with xz; unpack it",
    b"SQLite format 3": "a database of SQLite; export the table as CSV",
    b"version https://git-lfs": "a pointer of Git LFS; fetch the file itself with git lfs pull",
}
EXPECTED = "expected JSONL, JSON, CSV, TSV, parquet or Arrow"
CONTROL = frozenset(range(32)) - {8, 9, 10, 11, 12, 13, 27}
SAMPLED = 50  # records by which the delimiter of a table is told


class Kind(Enum):
    """The kinds of files that are read."""

    JSONL = "JSONL"
    JSON = "JSON"
    TABLE = "CSV"
    PARQUET = "parquet"
    ARROW = "Arrow"


class Dialect(NamedTuple):
    """How a table of text is written."""

    delimiter: str
    is_quoted: bool
    skips_spaces: bool


def recognize_kind(path: Path) -> Kind | None:
    """The kind of a file, None where nothing is in it.

    Raises:
        DataError: no file that can be read, or of another kind.
    """
    with unpacking(path), opened(path) as file:
        start = file.read(START)
    if start.startswith(b"PAR1"):
        return Kind.PARQUET
    if start.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return Kind.ARROW
    for magic, what in FOREIGN.items():
        if start.startswith(magic):
            raise DataError(f"{path}: is {what}; {EXPECTED}.")
    odd = next((i for i, byte in enumerate(start) if byte in CONTROL), None)
    if odd is not None:
        mark = " Text in UTF-16 must begin with its byte order mark." if start[odd] == 0 else ""
        raise DataError(
            f"{path}: no JSON, no CSV in UTF-8, no parquet and no Arrow (byte {odd + 1} is {start[odd]}); {EXPECTED}."
            f"{mark or ' Check the file.'}"
        )
    text, suffix = start.lstrip(), path.suffix.lower()
    if not text:
        return None
    if text.startswith((b"{", b"[")):
        return _kind_of_json(path, text, is_whole=len(start) < START)
    if dialect_of(start, len(start) < START, least=1 if suffix in (".csv", ".tsv") else 2) is not None:
        return Kind.TABLE
    if suffix in (".jsonl", ".json", ".ndjson"):
        return Kind.JSONL
    raise DataError(
        f"{path}: unknown kind of file '{path.suffix}', cannot be read as {suffix[1:] or 'data'}: neither JSON nor a "
        f"table of two columns or more; {EXPECTED}."
    )


def opened(path: Path) -> BinaryIO:
    """A file's bytes: unpacked where it is packed by gzip, text in UTF-8 and without its byte order mark.

    Raises:
        DataError: it does not unpack, or is no text of the encoding that its mark names.
    """
    with path.open("rb") as raw:
        is_packed = raw.read(2) == GZIP
    file = cast("BinaryIO", gzip.GzipFile(path) if is_packed else path.open("rb"))
    with unpacking(path):
        start = file.read(4)
        mark = next((mark for mark in MARKS if start.startswith(mark)), b"")
        file.seek(len(mark) if mark == codecs.BOM_UTF8 else 0)
        if mark in (b"", codecs.BOM_UTF8):
            return file
        with file:
            return BytesIO(file.read().decode(MARKS[mark]).encode("utf-8", "surrogatepass"))


@contextmanager
def unpacking(path: Path) -> Iterator[None]:
    """What is read within fails with a message where the file does not unpack, or is not of its mark's encoding."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start + 1} is not {error.encoding}. Save it as UTF-8.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: does not unpack ({first_line(error)}). Fetch the file again.") from None


def _kind_of_json(path: Path, text: bytes, is_whole: bool) -> Kind:
    """An object a line, or values that go over lines."""
    if text.startswith(b"["):
        return Kind.JSON
    first, _, rest = text.partition(b"\n")
    if _is_object(first) and (rest.strip() or not is_whole):
        return Kind.JSONL
    if is_whole:
        try:
            return Kind.JSONL if is_row(json.loads(text)) and not rest.strip() else Kind.JSON
        except (ValueError, RecursionError):
            pass
    # a value over all lines has its objects further in; an object a line may have a broken first one
    lines = [line for line in rest.split(b"\n")[:SAMPLED] if line.startswith(b"{")]
    is_named = path.suffix.lower() in (".jsonl", ".ndjson") and first.strip() != b"{"
    return Kind.JSONL if is_named or any(_is_object(line) for line in lines) else Kind.JSON


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def dialect_of(start: bytes, is_whole: bool, least: int = 1) -> Dialect | None:
    """How a table of text is written, by the records at its start; None where it has fewer than `least` columns."""
    text = start.decode("utf-8", "replace").lstrip("\r\n")
    if text.startswith("sep=") and "\n" in text:  # a spreadsheet's own note
        text = text.partition("\n")[2]
    best: tuple[tuple[float, ...], Dialect] | None = None
    for delimiter in ",\t;|":
        for is_quoted in (True, False) if delimiter == "\t" else (True,):
            records, closes = _records(text, delimiter, is_quoted, is_whole)
            width = len(records[0]) if records else 0
            if width < max(least, 1 if delimiter == "," else 2):
                continue
            fitting = sum(len(record) == width for record in records) / len(records)
            score = (width > 1, closes, fitting, width)
            first = next(csv.reader(text.replace("\r", "\n").split("\n")[:1], delimiter=delimiter))
            skips = width > 1 and all(field.startswith(" ") for field in first[1:])
            if best is None or score > best[0]:
                best = score, Dialect(delimiter, is_quoted, skips)
    return best[1] if best else None


def _records(text: str, delimiter: str, is_quoted: bool, is_whole: bool) -> tuple[list[list[str]], bool]:
    """The first records, without one that is cut off, and whether their quotes close."""
    quoting = csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE
    lines = [f"{line}\n" for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    if not text.endswith(("\n", "\r")):
        lines[-1] = lines[-1][:-1]
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True, skipinitialspace=True)
    records: list[list[str]] = []
    try:
        for record in reader:
            if any(record):
                records.append(record)
            if len(records) > SAMPLED:
                return records, True
    except csv.Error:
        return records, not is_whole and reader.line_num == len(lines)  # a record that is cut off is none
    return records if is_whole or len(records) < 2 else records[:-1], True
