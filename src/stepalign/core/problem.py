"""A problem: what the solver is asked, what it is graded by, and perhaps a reference solution.

>>> Problem(id="p1", problem="What is 2 + 2?", answer="4").to_json()
{'id': 'p1', 'problem': 'What is 2 + 2?', 'answer': '4'}
>>> Problem("p2", "Write add(a, b).", tests=Tests(asserts=("assert add(2, 2) == 4",))).to_json()
{'id': 'p2', 'problem': 'Write add(a, b).', 'tests': ['assert add(2, 2) == 4']}
"""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from stepalign.core.program import program_trace
from stepalign.core.text import clean_fields
from stepalign.core.trace import Trace, parse_trace


class Example(NamedTuple):
    """One run of a whole program: what it reads, and what it must print."""

    stdin: str
    stdout: str


@dataclass(frozen=True)
class Tests:
    """What a program must do: pass a check, or assertions, or print what is expected; one of the three.

    Attributes:
        check: Python that defines `check(candidate)`, as HumanEval has it; `candidate` is the function `entry_point`.
        asserts: statements of Python, as MBPP has them, that call functions of the program by their names.
        examples: input and output of the whole program.
        entry_point: the function asked for, where the problem names one.
        setup: Python that stands before the assertions, such as their imports.
    """

    __test__ = False  # pytest collects classes of this name

    check: str = ""
    asserts: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    entry_point: str | None = None
    setup: str = ""

    @cached_property
    def function(self) -> str | None:
        """The function that is asked for; where none is named, the first that the assertions call."""
        if self.entry_point or not self.asserts:
            return self.entry_point
        calls = (node for node in ast.walk(ast.parse(self.asserts[0])) if isinstance(node, ast.Call))
        names = [call.func.id for call in calls if isinstance(call.func, ast.Name)]
        return next((name for name in names if not hasattr(builtins, name)), None)

    def to_json(self) -> dict[str, Any]:
        """The keys of a problem's row that hold them."""
        tests = [example._asdict() for example in self.examples] or list(self.asserts)
        row: dict[str, Any] = {"test": self.check} if self.check else {"tests": tests}
        named = {"entry_point": self.entry_point, "setup": self.setup}
        return row | {key: value for key, value in named.items() if value}


@dataclass(frozen=True)
class Problem:
    """One problem; `solution` is the reference solution by another author, if the dataset has one.

    What has `tests` is graded by running them, anything else by its `answer`.
    """

    id: str
    problem: str
    answer: str = ""
    solution: str | None = None
    meta: dict[str, Any] = field(default_factory=dict[str, Any])
    tests: Tests | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        clean_fields(self, "id", "problem", "answer", "solution")

    @property
    def own_answer(self) -> str | None:
        """The right answer; None where a program is asked for."""
        return self.answer if self.tests is None else None

    def trace(self, text: str) -> Trace:
        """A response to it split into steps and an answer; where a program is asked for, into the program's lines."""
        return parse_trace(text) if self.tests is None else program_trace(text, self.tests.function, self.problem)

    def to_json(self) -> dict[str, Any]:
        """The problem as a row of `problems.jsonl`; absent parts are left out."""
        row: dict[str, Any] = {"id": self.id, "problem": self.problem}
        row |= {"answer": self.answer} if self.tests is None else self.tests.to_json()
        if self.solution is not None:
            row["solution"] = self.solution
        if self.meta:
            row["meta"] = self.meta
        return row
