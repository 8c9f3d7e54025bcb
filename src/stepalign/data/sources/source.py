"""What a problem source is: where its rows are, and how a row becomes a problem.

>>> from stepalign.data.sources.gsm8k import to_problem
>>> GSM8K = Source("gsm8k", "openai/gsm8k", columns=("question", "answer"), to_problem=to_problem, split="train")
>>> GSM8K.to_problem(Row("row 1", {"question": "2 + 2?", "answer": "2 + 2 = 4\\n#### 4"})).answer
'4'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

from stepalign.core.errors import DataError
from stepalign.core.problem import Problem
from stepalign.data.jsonl import Row

NONE = {"", "n/a", "none", "null"}  # texts by which datasets say that they have no answer


class Adapter(Protocol):
    """Rows to problems. `columns` must be in every row; `to_problem` raises a DataError for a row it cannot use."""

    @property
    def columns(self) -> tuple[str, ...]:
        """What every row must have."""
        ...

    @property
    def to_problem(self) -> Callable[[Row], Problem]:
        """From a row to a problem; raises DataError."""
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


def check_columns(adapter: Adapter, row: Row, hint: str) -> None:
    """
    Raises:
        DataError: the row lacks a column that the adapter needs; the message lists those it has.
    """
    for column in adapter.columns:
        if column not in row.values:
            has = ", ".join(map(str, row.values)) or "none"
            raise DataError(f"{row.where}: no column '{column}'; the columns are: {has}. {hint}")


def text_id(prefix: str, problem: str) -> str:
    """An id for a problem of a dataset that has none: the same for the same text, wherever it stands."""
    return f"{prefix}-{sha256(problem.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def known_answer(text: str) -> str:
    """The answer stripped, empty where the dataset says that it has none."""
    text = text.strip()
    return "" if text.casefold() in NONE else text


def present(values: Mapping[str, Any]) -> dict[str, Any]:
    """Only what is not None."""
    return {key: value for key, value in values.items() if value is not None}
