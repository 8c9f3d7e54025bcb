"""How rows of one shape become problems: which column is which, and whether the answer has to be found in a text.

    >>> shape = Shape(problem="question", answer="answer", reading="marked")
    >>> shape.to_problem(Row("row 1", {"question": "2 + 2?", "answer": "2 + 2 = 4\\n#### 4"}))
    Problem(id='', problem='2 + 2?', answer='4', solution='2 + 2 = 4', meta={})

An id that is made is for whoever counts the rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from stepalign.core.problem import Problem
from stepalign.data.answers import find_answer, is_plain, known_answer
from stepalign.data.chat import turn, turns_of
from stepalign.data.columns import META
from stepalign.data.row import MISSING, Row, show
from stepalign.data.tests import TestColumns, read_tests
from stepalign.data.values import plain, unboxed


@dataclass(frozen=True)
class Shape:
    """Column names may lead into objects and lists: `item.question`, `final_answer.0`.

    Attributes:
        problem: a text, or a conversation, of which it is the user's turn.
        answer: text or number, or a conversation, of which it is the assistant's turn; where a row has none, its
            solution may mark one.
        solution: None: what the answer was found in, if it was.
        id: None: made by who counts the rows.
        meta: what of a row is kept besides, by its name there.
        reading: of answers. told: as they stand; marked: found in a text that marks its final answer; short: all of a
            short text, or found in one that marks it.
        is_list: whether answers are lists of one.
        is_whole: whether numbers that end in .0 are whole ones that a table made fractions.
        prefix: of ids; with `by_text` an id is made from the problem's text.
        tests: of problems that ask for a program: where they are; what has them needs no answer.
    """

    problem: str = "problem"
    answer: str = "answer"
    solution: str | None = None
    id: str | None = None
    meta: Mapping[str, str] = field(default_factory=dict[str, str])
    reading: Literal["told", "short", "marked"] = "told"
    is_list: bool = False
    is_whole: bool = False
    prefix: str = ""
    by_text: bool = False
    tests: TestColumns | None = None

    def to_problem(self, row: Row) -> Problem:
        """The row's problem; the answer is empty where the dataset says that it has none.

        Raises:
            DataError: the problem or the answer is missing, empty, no text, or not to be found.
        """
        problem = self._text(row, self.problem, "user")
        if self.tests is not None and (self.tests.of(row) or not row.has(self.answer)):
            return self._program(row, problem, self.tests)
        solution = self._solution(row) if self.solution is not None else None
        found = find_answer(solution) if solution and row.value(self.answer) in (None, "", MISSING) else None
        answer, rest = found or self._answer(row)
        solution = rest if self.solution is None else solution
        return Problem(self._id(row, problem), problem, answer, solution, self._meta(row))

    def _program(self, row: Row, problem: str, columns: TestColumns) -> Problem:
        if (
            columns.starter
            and row.has(columns.starter)
            and (starter := row.string(columns.starter, empty=True)).strip()
        ):
            problem = f"{problem.rstrip()}\n\n{starter}"
        solution = None
        if self.solution is not None and row.has(self.solution):
            solution = row.string(self.solution, empty=True).rstrip() or None  # its indent says where it belongs
        return Problem(self._id(row, problem), problem, "", solution, self._meta(row), read_tests(row, columns))

    def _text(self, row: Row, key: str, role: str, numbers: bool = False) -> str:
        turns = turns_of(row.value(key))
        return row.string(key, numbers=numbers) if turns is None else turn(row, key, turns, role)

    def _answer(self, row: Row) -> tuple[str, str | None]:
        value, key = unboxed(row.value(self.answer)), self.answer
        if self.is_list and isinstance(value, list):
            if len(value) != 1:
                raise row.error(f"'{key}' is {show(value)}; expected a list of one answer. Remove the line.")
            key, value = f"{key}.0", value[0]
        if isinstance(value, bool):
            return str(value).lower(), None
        text = self._text(row, key, "assistant", numbers=True)
        if self.is_whole and (text.endswith(".0") and text.removesuffix(".0").lstrip("-").isdigit()):
            text = text.removesuffix(".0")
        if self.reading == "told":
            return known_answer(text), None
        found = find_answer(text)
        if found is not None:
            return known_answer(found.answer), found.solution
        if not is_plain(text):
            raise row.error(
                f"'{key}' is a text of {len(text)} characters with no final answer: it has no line '#### N', no "
                "\\boxed{N} and no 'The answer is N'. Mark it, or name a column of answers."
            )
        return known_answer(text), None

    def _solution(self, row: Row) -> str | None:
        assert self.solution is not None
        if not row.has(self.solution):
            return None
        turns = turns_of(row.value(self.solution))
        if turns is not None:
            return turn(row, self.solution, turns, "assistant")
        return row.string(self.solution, empty=True).strip() or None

    def _id(self, row: Row, problem: str) -> str:
        if self.by_text:
            return text_id(self.prefix, problem)
        value = row.value(self.id) if self.id is not None and row.has(self.id) else ""
        if self.id is None or value == "":
            return ""
        own = row.string(self.id, numbers=True)
        own = own.removesuffix(".0") if isinstance(value, float) else own
        return f"{self.prefix}-{own}" if self.prefix else own

    def _meta(self, row: Row) -> dict[str, Any]:
        own = row.values.get(META)
        if isinstance(own, str):  # as a table holds it
            own = json_object(own) if own.strip() else None
        if own is not None and not isinstance(own, Mapping):
            raise row.error("'meta' is not an object; expected a JSON object. Correct the line.")
        found = {name: row.value(column) for name, column in self.meta.items() if row.has(column)}
        return plain({**(own or {}), **found})


def json_object(text: str) -> Any:
    """What JSON the text is; the text itself where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def text_id(prefix: str, problem: str) -> str:
    """An id for a problem of a dataset that has none: the same for the same text, wherever it stands."""
    return f"{prefix}-{sha256(problem.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
