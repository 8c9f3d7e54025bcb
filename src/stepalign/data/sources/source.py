"""What a registered source is: where its rows are on the hub, and how a row becomes a problem.

>>> from stepalign.data.shape import Shape
>>> to_problem = Shape("question", reading="marked").to_problem
>>> gsm8k = Source("gsm8k", "openai/gsm8k", columns=("question", "answer"), to_problem=to_problem, split="train")
>>> gsm8k.to_problem(Row("row 1", {"question": "2 + 2?", "answer": "2 + 2 = 4\\n#### 4"})).answer
'4'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from stepalign.core.errors import DataError
from stepalign.core.problem import Problem
from stepalign.data.row import Row


class Adapter(Protocol):
    """Rows to problems; a DataError for a row that cannot be used."""

    @property
    def to_problem(self) -> Callable[[Row], Problem]:
        """From a row to its problem; no id where the row has none, no answer where the dataset says so."""
        ...


@dataclass(frozen=True)
class Source:
    """A registered dataset of the hub.

    Attributes:
        name: what a user calls it.
        hub: owner/name on the hub.
        columns: the columns that `to_problem` needs.
        to_problem: from a row to a problem; an answer that is not known is empty.
        split: read by default.
        splits: all that have problems.
        subset: the dataset's configuration.
    """

    name: str
    hub: str
    columns: tuple[str, ...]
    to_problem: Callable[[Row], Problem]
    split: str
    splits: tuple[str, ...] = ()
    subset: str | None = None


def check_columns(source: Source, row: Row, hint: str) -> None:
    """
    Raises:
        DataError: the row lacks a column that the source needs; the message lists those it has.
    """
    for column in source.columns:
        if column not in row.values:
            has = ", ".join(map(str, row.values)) or "none"
            raise DataError(f"{row.where}: no column '{column}'; the columns are: {has}. {hint}")
