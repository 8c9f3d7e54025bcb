"""The columns of some rows, by whatever case and hyphens their names have, and what stands in them.

>>> table = Table([Row("row 1", {"Final Answer": 4, "note": ""})])
>>> table.find(["final_answer", "note"]), table.values("Final Answer")
(['Final Answer'], [4])
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from stepalign.data.columns import plain_name
from stepalign.data.row import MISSING, Row
from stepalign.data.values import unboxed


class Table:
    """The columns of some rows and what stands in them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.columns = list(dict.fromkeys(str(key) for row in rows for key in row.values))
        self._values: dict[str, list[Any]] = {}
        self._by_name: dict[str, str] = {}
        for column in self.columns:
            name = plain_name(column)
            if name not in self._by_name or column == name:
                self._by_name[name] = column

    def values(self, column: str) -> list[Any]:
        """What is there in a column, without what is empty."""
        if column not in self._values:
            found = (unboxed(row.value(column)) for row in self.rows)
            self._values[column] = [v for v in found if v is not MISSING and v not in (None, "", [], {})]
        return self._values[column]

    def find(self, names: Iterable[str], without: Iterable[str] = (), is_empty: bool = False) -> list[str]:
        """The columns of these names that hold anything, or that hold nothing, in the order of the names."""
        columns = [self._by_name[name] for name in names if name in self._by_name]
        return [column for column in columns if column not in without and bool(self.values(column)) is not is_empty]

    def first(self, column: str) -> Any:
        """The first value in a column that is not empty; None where all are."""
        return next(iter(self.values(column)), None)

    def named(self, column: str) -> str | None:
        """The column that a user means, in whatever case; None where there is none."""
        if column in self.columns or any(row.value(column) is not MISSING for row in self.rows):
            return column
        return self._by_name.get(plain_name(column))
