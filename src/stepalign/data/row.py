"""One row of a user's data: every message names where it stands, what was got and what was expected.

>>> row = Row("problems.jsonl, line 3", {"question": "What is 2 + 2?", "gold": {"value": 4}})
>>> row.string("question")
'What is 2 + 2?'
>>> row.string("gold.value", numbers=True)        # a name with dots goes into objects, with numbers into lists
'4'
>>> row.string("answer")
Traceback (most recent call last):
stepalign.core.errors.DataError: problems.jsonl, line 3: 'answer' is missing; got 'question', 'gold'. Add the field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stepalign.core.errors import DataError
from stepalign.data.values import number_text, unboxed

SHOWN = 10  # rows that a message names
MISSING = object()


class BrokenLine(DataError):
    """A line that holds no row at all, so that the file may be another than it seems."""


@dataclass(frozen=True)
class Row:
    """One row. `where` ("path, line 3") opens every message about it."""

    where: str
    values: dict[str, Any]

    def error(self, message: str) -> DataError:
        """What is wrong with the row, after where it stands."""
        return DataError(f"{self.where}: {message}")

    def value(self, key: str) -> Any:
        """What is under `key`, or `MISSING`; `a.b` is b in the object a, `a.0` the first of the list a."""
        if key in self.values or "." not in key:
            return self.values.get(key, MISSING)
        found: Any = self.values
        for part in key.split("."):
            if isinstance(found, Mapping) and part in found:
                found = found[part]
            elif isinstance(found, Sequence) and not isinstance(found, str) and part.isdigit():
                found = found[int(part)] if int(part) < len(found) else MISSING
            else:
                return MISSING
        return found

    def string(self, key: str, *, numbers: bool = False, empty: bool = False) -> str:
        """The text under `key`.

        Args:
            numbers: also accept a number or a date, as its text.
            empty: also accept text without a visible character.
        Raises:
            DataError: missing, of another type, or empty.
        """
        value = self._required(key)
        text = value if isinstance(value, str) else number_text(value) if numbers else None
        if text is None:
            expected = "a string or a number" if numbers else "a string"
            raise self.error(f"'{key}' is {show(value)}; expected {expected}. {_inside(key, value)}")
        if not empty and not text.strip():
            raise self.error(f"'{key}' is empty; expected text. Fill it in or remove the line.")
        return text

    def count(self, key: str) -> int:
        """The whole number, 0 or more, under `key`."""
        value = unboxed(self._required(key))
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.error(f"'{key}' is {show(value)}; expected a whole number, 0 or more. Correct the line.")
        return value

    def has(self, key: str) -> bool:
        """Whether `key` is there and not null."""
        return self.value(key) not in (None, MISSING)

    def _required(self, key: str) -> Any:
        value = self.value(key)
        if value is MISSING:
            got = ", ".join(f"'{name}'" for name in self.values) or "no fields"
            raise self.error(f"'{key}' is missing; got {got}. Add the field.")
        return value


def show(value: object) -> str:
    """A value as it stands in the file, cut short."""
    text = json.dumps(value, default=str)  # a value of a parquet file may be no JSON
    return text if len(text) <= 60 else f"{text[:60]}…"


def all_of(errors: Sequence[DataError], name: str, num_rows: int, remedy: str = "") -> DataError:
    """One error for all rows that cannot be used: the first ten with what is wrong, and how many more there are."""
    if len(errors) == 1:
        return errors[0]
    opening = f"{name}: {len(errors)} of {num_rows} rows cannot be used."
    return DataError("\n".join([opening, *listed(errors, name), *([remedy] if remedy else [])]))


def listed(errors: Sequence[DataError], name: str) -> list[str]:
    """A line a row, for the first ten, without the name that all have."""
    lines = [f"  {str(error).removeprefix(f'{name}, ')}" for error in errors[:SHOWN]]
    return lines + ([f"  and {len(errors) - SHOWN} more"] if len(errors) > SHOWN else [])


def _inside(key: str, value: object) -> str:
    """How to name what is in an object or a list."""
    if isinstance(value, Mapping) and value:
        return f"Correct the line, or name what is in it, such as {key}.{next(iter(value))}."
    if isinstance(value, list | tuple) and value:
        return f"Correct the line, or name the item, such as {key}.0 for the first."
    return "Correct the line."
