"""Which column is which part of a problem, as a user says it: `problem=question,answer=final,meta.level=level`.

>>> Columns.parse(["problem=question", "answer=final"]).parts
{'problem': 'question', 'answer': 'final'}
>>> Columns.parse("problem=question,answer=answer,solution=").parts["solution"]      # none
''
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from stepalign.core.errors import ConfigError, suggest

PARTS = ("id", "problem", "answer", "solution", "tests", "entry_point")
MADE = ("id", "solution")  # parts that may be said to have no column
META = "meta"
BETWEEN = re.compile(r"[\s,]+(?=[\w.]+=)")  # names of columns may have spaces and commas themselves


def plain_name(column: str) -> str:
    """`Final Answer`, `finalAnswer` and `final-answer` are `final_answer`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column)
    return re.sub(r"[^a-z0-9]+", "_", words.casefold()).strip("_")


@dataclass(frozen=True)
class Columns:
    """The column of each part that was named, empty for a part that shall have none, and those that go to meta."""

    parts: Mapping[str, str] = field(default_factory=dict[str, str])
    meta: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def parse(cls, words: str | Iterable[str] | Mapping[str, str]) -> Columns:
        """From words such as `problem=question`, several in one with commas or spaces between, or from a mapping.

        Raises:
            ConfigError: a word of another shape, or no such part.
        """
        if isinstance(words, Mapping):
            words = [f"{part}={column}" for part, column in words.items()]
        pieces = [piece for word in ([words] if isinstance(words, str) else words) for piece in BETWEEN.split(word)]
        parts: dict[str, str] = {}
        meta: dict[str, str] = {}
        for piece in filter(None, (piece.strip(" ,") for piece in pieces)):
            part, equals, column = piece.partition("=")
            if not equals or not (column or part in MADE):
                raise ConfigError(f"columns: got '{piece}'; expected part=column, for example problem=question.")
            if part.startswith(f"{META}."):
                meta[part.removeprefix(f"{META}.")] = column
            elif part in PARTS:
                parts[part] = column
            else:
                raise ConfigError(f"columns: unknown part '{part}'{suggest(part, PARTS)} Or meta.{part}={column}.")
        return cls(parts, meta)

    @property
    def named(self) -> list[str]:
        """All columns that were named."""
        return [column for column in (*self.parts.values(), *self.meta.values()) if column]

    @property
    def are_numbers(self) -> bool:
        """Whether columns are counted, from 1, as in a table without a header."""
        return bool(self.named) and all(column.isdigit() for column in self.named)
