"""JSONL that a user wrote: every message names the file and the line, what was got and what was expected.

>>> for row in read_rows("problems.jsonl"):
...     row.string("id", numbers=True)
'micro-0000'
'micro-0001'
'micro-0002'
>>> row.string("hint")
Traceback (most recent call last):
    ...
stepalign.core.errors.DataError: problems.jsonl, line 3: 'hint' is missing; got 'id', ...
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepalign.core.errors import DataError


@dataclass(frozen=True)
class Row:
    """One JSON object of a file. `where` ("path, line 3") opens every message about it."""

    where: str
    values: dict[str, Any]

    def error(self, message: str) -> DataError:
        """An error about this row, to be raised."""
        return DataError(f"{self.where}: {message}")

    def string(self, key: str, *, numbers: bool = False, empty: bool = False) -> str:
        """The text under `key`.

        Args:
            numbers: also accept a number, as its text.
            empty: also accept text without a visible character.
        Raises:
            DataError: missing, of another type, or empty.
        """
        value = self._required(key)
        if numbers and isinstance(value, int | float) and not isinstance(value, bool) and not _is_odd(value):
            return str(value)
        if not isinstance(value, str):
            expected = "a string or a number" if numbers else "a string"
            raise self.error(f"'{key}' is {_show(value)}; expected {expected}. Correct the line.")
        if not empty and not value.strip():
            raise self.error(f"'{key}' is empty; expected text. Fill it in or remove the line.")
        return value

    def count(self, key: str) -> int:
        """The whole number, 0 or more, under `key`."""
        value = self._required(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.error(f"'{key}' is {_show(value)}; expected a whole number, 0 or more. Correct the line.")
        return value

    def has(self, key: str) -> bool:
        """Whether `key` is there and not null."""
        return self.values.get(key) is not None

    def _required(self, key: str) -> Any:
        if key not in self.values:
            got = ", ".join(f"'{name}'" for name in self.values) or "no fields"
            raise self.error(f"'{key}' is missing; got {got}. Add the field.")
        return self.values[key]


def read_rows(path: str | Path) -> list[Row]:
    """The rows of a JSONL file; blank lines are passed over.

    Raises:
        DataError: no such file, a directory, no rows, or a line that is not a JSON object in UTF-8.
    """
    try:
        lines = Path(path).read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected a JSONL file. Check the path.") from None
    except IsADirectoryError:
        raise DataError(f"{path}: got a directory; expected a JSONL file. Name the file in it.") from None
    rows = [parse_line(f"{path}, line {number}", line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise DataError(f"{path}: got an empty file; expected one JSON object a line.")
    return rows


def parse_line(where: str, line: bytes) -> Row:
    """The row of one line; `where` opens the message where it is none.

    Raises:
        DataError: not a JSON object in UTF-8.
    """
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: byte {error.start + 1} is not UTF-8. Save the file as UTF-8.") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON ({error}); expected one JSON object a line. Correct the line.") from None
    if not isinstance(value, dict):
        raise DataError(f"{where}: got {_show(value)}; expected a JSON object. Correct the line.")
    return Row(where, value)


def _show(value: object) -> str:
    """A value as it stands in the file, cut short."""
    text = json.dumps(value, default=str)  # a value of a parquet file may be no JSON
    return text if len(text) <= 60 else f"{text[:60]}…"


def _is_odd(value: int | float) -> bool:
    """NaN or infinite; whole numbers of any length are neither."""
    return isinstance(value, float) and not math.isfinite(value)
