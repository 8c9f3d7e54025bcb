"""What the rows of a run's files share: a JSON object with typed attributes, written exactly as it was given.

    >>> class Note(Row):
    ...     step: Whole
    ...     text: str = ""
    >>> append_rows(directory / "notes.jsonl", Note(step=1))
    >>> (directory / "notes.jsonl").read_text().strip()             # what was not given is not written
    '{"step": 1}'
    >>> Note.read("notes.jsonl, row 2", {"step": "two"})
    Traceback (most recent call last):
        ...
    stepalign.core.errors.DataError: notes.jsonl, row 2: expected a whole number as 'step'; got 'two'.

Checked is what a type says that is annotated with a check, and that what has no default is there; texts are taken as
they stand. Keys that a class does not declare are kept, so that the file of a newer version can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Self, TypeVar, cast, dataclass_transform, get_type_hints

import yaml

from stepalign.core.errors import DataError
from stepalign.core.files import append_jsonl, read_json, read_jsonl

R = TypeVar("R", bound="Row")
EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Row:
    """One row, or one part of a file; frozen."""

    def __init__(self, /, **values: object) -> None:
        known = declared_in(type(self))
        self.__dict__.update({key: value for key, value in values.items() if key in known}, _values=values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen; got a new '{name}'.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and self.to_json() == other.to_json()

    def __bool__(self) -> bool:
        return bool(self.__dict__["_values"])

    @classmethod
    def read(cls, where: str, value: object) -> Self:
        """The row that `value`, from a file, describes; `where` opens the message of an error.

        Raises:
            DataError: it is no object, or a value in it is not what it must be.
        """
        row = dict(mapping(where, value))
        for key, notes in declared_in(cls).items():
            for check in notes:
                if callable(check) and (key in row or not hasattr(cls, key)):
                    row[key] = check(where, key, row.get(key))
        return cls(**row)

    def get(self, key: str) -> Any:
        """The value under any key, also one that is not declared; None where there is none."""
        return self.__dict__["_values"].get(key)

    def to_json(self) -> dict[str, Any]:
        """The row as it is written."""
        return {key: _plain(value) for key, value in self.__dict__["_values"].items()}


def _plain(value: object) -> Any:
    if isinstance(value, Row):
        return value.to_json()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in cast("dict[str, Any]", value).items()}
    return [_plain(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


@cache
def declared_in(kind: type[Row]) -> dict[str, tuple[Any, ...]]:
    """What stands beside the type of each declared key, checks among it."""
    hints = get_type_hints(kind, include_extras=True)
    return {key: getattr(hint, "__metadata__", ()) for key, hint in hints.items()}


def number(where: str, key: str, value: object) -> Any:
    """A number or none."""
    if not isinstance(value, int | float | None):
        raise DataError(f"{where}: expected a number as '{key}'; got {value!r}.")
    return value


def _whole(where: str, key: str, value: object) -> int:
    if not isinstance(value, int):
        raise DataError(f"{where}: expected a whole number as '{key}'; got {value!r}.")
    return value


def bounds(where: str, key: str, value: object) -> list[float] | None:
    """An interval or none."""
    if value is None:
        return None
    items = cast("list[Any]", value) if isinstance(value, list) else []
    if len(items) != 2 or not all(isinstance(bound, int | float) for bound in items):
        raise DataError(f"{place(where, key)}: expected two numbers [low, high]; got {value!r}.")
    return items


Number = Annotated[float | None, number]
Whole = Annotated[int, _whole]
Bounds = Annotated[list[float] | None, bounds]


def part(kind: type[Row]) -> Callable[[str, str, object], Any]:
    """The check of a row in a row; null is an empty one."""
    return lambda where, key, value: kind.read(place(where, key), value)


def each(check: Callable[[str, str, object], Any]) -> Callable[[str, str, object], Any]:
    """The check of an object whose values have that check; null is an empty one."""

    def entries(where: str, key: str, value: object) -> dict[str, Any]:
        inside = place(where, key)
        return {name: check(inside, name, item) for name, item in mapping(inside, value).items()}

    return entries


def place(where: str, key: str) -> str:
    """`results.json: ` and base, `F, entry 1` and test, `F: base` and ci95, each in the way a reader finds it."""
    if where.endswith(": "):
        return f"{where}{key}"
    return f"{where}, {key}" if where.split(", ")[-1].startswith("entry ") else f"{where}.{key}"


def mapping(where: str, value: object) -> dict[str, Any]:
    """The object that a value is; null is an empty one.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, dict | None):
        raise DataError(f"{where.removesuffix(': ')}: expected an object; got {type(value).__name__}.")
    return cast("dict[str, Any]", value) if value else {}


def read_list(where: str, value: object, kind: type[R]) -> list[R]:
    """The rows in a list.

    Raises:
        DataError: it is no list, or an entry is another row.
    """
    if not isinstance(value, list):
        raise DataError(f"{where}: expected a list of checkpoints; got {type(value).__name__}.")
    return [kind.read(f"{where}, entry {i}", entry) for i, entry in enumerate(cast("list[object]", value), start=1)]


def append_rows(path: Path, *rows: Row) -> None:
    """Append rows to a JSONL file, as `append_jsonl` does."""
    append_jsonl(path, *(row.to_json() for row in rows))


def read_rows(path: Path, kind: type[R]) -> list[R]:
    """The rows of a JSONL file, as `read_jsonl` reads them; none where it is missing.

    Raises:
        DataError: a row is something else; the message names it.
    """
    required = [key for key in declared_in(kind) if not hasattr(kind, key)]
    rows: list[R] = []
    for i, row in enumerate(read_jsonl(path), start=1):
        if not isinstance(cast("object", row), dict) or any(key not in row for key in required):
            raise DataError(f"{path}, row {i}: expected an object with {', '.join(map(repr, required))}.")
        rows.append(kind.read(f"{path}, row {i}", row))
    return rows


def read_mapping(path: Path) -> dict[str, Any]:
    """The object in a JSON or YAML file, empty where there is no file.

    Raises:
        DataError: it cannot be read, or is no object.
    """
    if not path.exists():
        return {}
    try:
        value = yaml.safe_load(path.read_bytes()) if path.suffix == ".yaml" else read_json(path)
    except (yaml.YAMLError, ValueError) as error:
        raise DataError(f"{path}: not YAML ({' '.join(str(error).split())}).") from None
    return mapping(str(path), value)
