"""Rows whose columns are named otherwise: which column is the id, the problem, the answer, the solution, what is meta.

>>> mapping = ColumnMapping.parse(["problem=question", "answer=final", "meta.level=level"], prefix="mine")
>>> problem = mapping.to_problem(Row("row 1", {"question": "2 + 2?", "final": 4, "level": 1}))
>>> problem.problem, problem.answer, problem.meta
('2 + 2?', '4', {'level': 1})
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stepalign.core.errors import ConfigError, suggest
from stepalign.core.problem import Problem
from stepalign.data.jsonl import Row
from stepalign.data.sources.source import known_answer, text_id

PARTS = ("id", "problem", "answer", "solution")
META = "meta"


@dataclass(frozen=True)
class ColumnMapping:
    """Column names of the parts of a problem; a part that is not in `parts` has the column of its own name.

    `prefix` begins the ids: of all rows where `is_prefixed`, else only of those without an id column.
    """

    prefix: str
    parts: Mapping[str, str] = field(default_factory=dict[str, str])
    meta: Mapping[str, str] = field(default_factory=dict[str, str])
    is_prefixed: bool = False

    @classmethod
    def parse(cls, words: Iterable[str], prefix: str) -> ColumnMapping:
        """From words such as `problem=question` and `meta.level=level`.

        Raises:
            ConfigError: a word of another shape, or no such part.
        """
        parts: dict[str, str] = {}
        meta: dict[str, str] = {}
        for word in words:
            part, equals, column = word.partition("=")
            if not equals or not column:
                raise ConfigError(f"columns: got '{word}'; expected part=column, for example problem=question.")
            if part.startswith(f"{META}."):
                meta[part.removeprefix(f"{META}.")] = column
            elif part in PARTS:
                parts[part] = column
            else:
                raise ConfigError(f"columns: unknown part '{part}'{suggest(part, PARTS)} Or meta.{part}={column}.")
        return cls(prefix, parts, meta)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a row must have: problem, answer, and all that were named."""
        needed = [self._column("problem"), self._column("answer"), *self.parts.values(), *self.meta.values()]
        return tuple(dict.fromkeys(needed))

    def to_problem(self, row: Row) -> Problem:
        """
        Raises:
            DataError: the problem or the answer is missing, empty or no text.
        """
        problem = row.string(self._column("problem"))
        answer, solution = self._column("answer"), self._column("solution")
        return Problem(
            id=self._id(row, problem),
            problem=problem,
            answer=known_answer(row.string(answer, numbers=True)),
            solution=row.string(solution, empty=True).strip() or None if row.has(solution) else None,
            meta=self._meta(row),
        )

    def _column(self, part: str) -> str:
        return self.parts.get(part, part)

    def _id(self, row: Row, problem: str) -> str:
        column = self._column("id")
        if not row.has(column):
            return text_id(self.prefix, problem)
        own = row.string(column, numbers=True)
        return f"{self.prefix}-{own}" if self.is_prefixed else own

    def _meta(self, row: Row) -> dict[str, Any]:
        own = row.values.get(META) if not self.meta else None
        meta = dict(own) if isinstance(own, dict) else {}
        meta |= {name: row.values.get(column) for name, column in self.meta.items()}
        return {name: plain(value) for name, value in meta.items() if value is not None}


def plain(value: object) -> Any:
    """The value as JSON can hold it; what it cannot becomes text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    is_odd = isinstance(value, float) and not math.isfinite(value)
    return value if isinstance(value, str | int | float | None) and not is_odd else str(value)
