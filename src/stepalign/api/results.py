"""What the functions return: mappings and lists that say in a line or two what they are, and are tables on request.
In a notebook they show themselves.

>>> result = MappingResult({"avg@2": 0.5}, "avg@2 50.0 on 3 problems", [{"problem_id": "p1", "grade": "correct"}])
>>> result
avg@2 50.0 on 3 problems
>>> result["avg@2"], list(result.to_pandas().columns)
(0.5, ['problem_id', 'grade'])
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pandas import DataFrame

Item = TypeVar("Item")
Table = Sequence[Mapping[str, Any]]


class Shown:
    """A short `repr` and a table beside a mapping or a list; `directory` is where it was written, None for nowhere."""

    _summary: str
    _table: Table
    directory: Path | None

    def __repr__(self) -> str:
        return self._summary + (f"\nin {self.directory}" if self.directory is not None else "")

    def _html(self) -> str:
        """What a notebook shows under the line."""
        from stepalign.report.notebook import table

        return table(self._table) if self._table else ""

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self._html()}"

    def to_pandas(self) -> DataFrame:
        """The rows behind the result: what they are is said where it is returned."""
        from pandas import DataFrame

        return DataFrame([dict(row) for row in self._table])


class MappingResult(Shown, dict[str, Any]):
    """A result that is a mapping; `dict(result)` shows all of it."""

    def __init__(
        self, values: Mapping[str, Any], summary: str, table: Table = (), directory: Path | None = None
    ) -> None:
        super().__init__(values)
        self._summary, self._table, self.directory = summary, table, directory


class InspectionResult(MappingResult):
    """An inspection: in a notebook the response under each context, its tokens on the colours of their A_t."""

    def _html(self) -> str:
        from stepalign.report.notebook import token_map

        return token_map(self)


class ComparisonResult(MappingResult):
    """A comparison: in a notebook a row for each condition, with the means of the selected checkpoints."""

    def _html(self) -> str:
        from stepalign.report.notebook import table

        rows: list[dict[str, object]] = []
        for condition, of in self["conditions"].items():
            means = {key: points(mean) for key, mean in of["selected_mean"].items() if "@" in key}
            rows.append({"condition": condition, "seeds": len(of["seeds"]), **means})
        return table(rows)


def points(mean: Mapping[str, Any]) -> str:
    """A mean over seeds with its interval, times 100."""
    low, high = mean["ci95"]
    return f"{100 * mean['value']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


class ListResult(Shown, list[Item]):
    """A result that is a list; `list(result)` shows all of it."""

    def __init__(self, items: Iterable[Item], summary: str, table: Table = (), directory: Path | None = None) -> None:
        super().__init__(items)
        self._summary, self._table, self.directory = summary, table, directory


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A mapping of mappings as one row: `test/avg@12`."""
    row: dict[str, Any] = {}
    for key, value in values.items():
        row |= flat(value, f"{prefix}{key}/") if isinstance(value, Mapping) else {prefix + key: value}
    return row
