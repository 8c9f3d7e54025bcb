"""Contexts that are made of what happened when a program ran.

execution          what Python or the tests said, in words: which error, which line, which test (as in SDPO,
                   arXiv 2601.20802)
execution_aligned  the solver's own code up to the failing line, verbatim, and what was said of that line

>>> from stepalign.data.problems import load_problems
>>> from stepalign.core.rollout import Outcome
>>> from stepalign.feedback.formats import build_context
>>> (problem,) = load_problems([{"id": "p", "problem": "Write double(x).", "tests": ["assert double(2) == 4"]}])
>>> seen = Grade(Outcome.ERROR, "def double(x):\\n    return 2 * y", detail=Detail("NameError", "y is not defined", 2))
>>> print(build_context(Rollout(problem, 0, "...", grade=seen), "execution_aligned").text)
```python
def double(x):
    return 2 * y  # <- line 2, NameError: y is not defined
```
"""

from __future__ import annotations

from collections.abc import Sequence

from stepalign.core.critique import Context
from stepalign.core.rollout import Detail, Grade, Rollout
from stepalign.feedback.formats import FeedbackFormat, register_feedback

PASSED = "The program passes all tests."
LENGTH = 1000  # characters of a message or a test; the end of a long one says what went wrong


class OfExecution(FeedbackFormat):
    """Base of formats that say something of how the rollout's program ran."""

    needs = "a program that was run: give problems that have tests"

    def text(self, code: str, grade: Grade) -> str | None:
        """The context's text, None where there is nothing to say."""
        raise NotImplementedError

    def contexts(self, rollouts: Sequence[Rollout]) -> list[Context | None]:
        """Of each rollout that has a program which was run."""
        made = [self._of(rollout.grade) if rollout.problem.tests is not None else None for rollout in rollouts]
        return [None if text is None else Context(text) for text in made]

    def _of(self, grade: Grade | None) -> str | None:
        if grade is None or grade.extracted is None or not (grade.is_correct or grade.detail):
            return None
        return self.text(grade.extracted, grade)


@register_feedback("execution")
class Execution(OfExecution):
    """What Python or the failing test said, nothing quoted and nothing corrected: the commonest context of code."""

    def text(self, code: str, grade: Grade) -> str:
        """The error with its line, and the test."""
        if grade.detail is None:
            return PASSED
        found = grade.detail
        where = f" in line {found.line}" if found.line is not None else ""
        line = _line(code, found.line)
        parts = [f"The program fails{where}: {said(found)}", f"The line is: {line.strip()}" if line else ""]
        parts.append(f"The test is: {found.test[:LENGTH]}" if found.test else "")
        return "\n".join(filter(None, parts))


@register_feedback("execution_aligned")
class ExecutionAligned(OfExecution):
    """The solver's own code up to the failing line, verbatim, the line marked with what was said of it: alignment
    without a correction. None where the failure has no line, as with a wrong result, a timeout or too much memory."""

    def text(self, code: str, grade: Grade) -> str | None:
        """The code in a fence; all of it where it passes."""
        if grade.detail is None:
            return f"```python\n{code.rstrip()}\n```"
        number = grade.detail.line
        if number is None or not _line(code, number):
            return None
        kept = code.splitlines()[:number]
        kept[-1] = f"{kept[-1]}  # <- line {number}, {said(grade.detail)}"
        return "\n".join(["```python", *kept, "```"])


def said(detail: Detail) -> str:
    """The type of a failure and its message, on one line."""
    message = " ".join(detail.message.split())[-LENGTH:]
    return f"{detail.type}: {message}" if message else detail.type


def _line(code: str, number: int | None) -> str:
    lines = code.splitlines()
    return lines[number - 1] if number is not None and 1 <= number <= len(lines) else ""
