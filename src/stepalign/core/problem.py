"""A problem: what the solver is asked, the answer it is graded by, and perhaps a reference solution.

>>> Problem(id="p1", problem="What is 2 + 2?", answer="4").to_json()
{'id': 'p1', 'problem': 'What is 2 + 2?', 'answer': '4'}
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stepalign.core.text import clean_fields


@dataclass(frozen=True)
class Problem:
    """One problem; `solution` is the reference solution by another author, if the dataset has one."""

    id: str
    problem: str
    answer: str
    solution: str | None = None
    meta: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        clean_fields(self, "id", "problem", "answer", "solution")

    def to_json(self) -> dict[str, Any]:
        """The problem as a row of `problems.jsonl`; absent parts are left out."""
        row: dict[str, Any] = {"id": self.id, "problem": self.problem, "answer": self.answer}
        if self.solution is not None:
            row["solution"] = self.solution
        if self.meta:
            row["meta"] = self.meta
        return row
