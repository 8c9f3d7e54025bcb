"""A grader of the user's own: a function of a response and its problem, called in this process.

It returns "correct", "wrong" or "unparseable", or True or False; or a number, its score: a response is then correct
from 1 on, and GRPO takes the score itself as the reward; or a `Grade`. What else it returns, and what it raises, is an
error: that response has no grade, is counted as such, and the traceback's last line is shown.

    >>> def right_or_near(text, problem):
    ...     return 1.0 if problem.answer in text else 0.5
    >>> with OwnGrader(right_or_near, "near") as near:
    ...     near.grade("A: 12", Problem("p1", "What is 7 + 5?", "12"))
    Grade(outcome=<Outcome.CORRECT: 'correct'>, extracted='12', score=1)

Nothing limits its time or memory. It is called by one thread at a time.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, SupportsFloat

from stepalign.core.errors import ConfigError, last_line
from stepalign.core.problem import Problem
from stepalign.core.rollout import Grade, Outcome
from stepalign.grading.answers import extract_answer
from stepalign.grading.grader import Grader

log = logging.getLogger(__name__)

GradeOwn = Callable[[str, Problem], object]
EXPECTED = "correct, wrong, unparseable, True, False, a number or a Grade"
MOST_FAILURES = 10  # calls that may fail before one has succeeded: then the function is broken, not a response
CORRECT_FROM = 1.0


class AnyGrader(Protocol):
    """What grades responses: the `Grader` of mathematical answers, or a function of the user's own."""

    def grade(self, text: str, answer: str | Problem, /) -> Grade:
        """Grade a response against the true answer, given alone or with its problem."""
        ...

    def grade_all(self, pairs: Iterable[tuple[str, str | Problem]], /) -> Iterator[Grade]:
        """The same of many, in order."""
        ...

    def compare(self, gold: str, answer: str, /) -> Outcome:
        """Compare two answers that were found before."""
        ...

    def group(self, answers: Sequence[str | None], /) -> list[int | None]:
        """The number of each answer's group of equal ones, for maj@k; None for None."""
        ...

    def close(self) -> None:
        """Let go of processes, if there are any; it may be used again."""
        ...

    def __enter__(self) -> AnyGrader: ...

    def __exit__(self, *exception: object) -> None: ...


class OwnGrader:
    """Grades by a function; answers are found and grouped for maj@k as by `Grader`.

    Args:
        function: takes the response and its `Problem`.
        name: of the function, for messages.
        patterns: where the answers for maj@k are looked for; a response without one is in no group.
    """

    def __init__(self, function: GradeOwn, name: str, *, patterns: Sequence[str] | None = None) -> None:
        self.name, self.patterns = name, patterns
        self.num_graded, self.errors = 0, Counter[str]()
        self._function, self._answers = function, Grader(patterns=patterns)
        self._turn = threading.Lock()

    def grade(self, text: str, answer: str | Problem) -> Grade:
        """What the function says of a response.

        Raises:
            ConfigError: every call failed so far, and there were `MOST_FAILURES`.
        """
        problem = answer if isinstance(answer, Problem) else Problem("", "", answer)
        with self._turn:
            try:
                given = _given(self._function(text, problem))
            except Exception as error:
                self._count(last_line(error))
                given = Grade(Outcome.ERROR)
            self.num_graded += given.outcome is not Outcome.ERROR
        if given.extracted is not None:
            return given
        return Grade(given.outcome, extract_answer(text, self.patterns), given.score)

    def grade_all(self, pairs: Iterable[tuple[str, str | Problem]]) -> Iterator[Grade]:
        """One after the other, in order."""
        return (self.grade(text, problem) for text, problem in pairs)

    def compare(self, gold: str, answer: str) -> Outcome:
        """As `Grader.compare`: the function is not asked about answers alone."""
        return self._answers.compare(gold, answer)

    def group(self, answers: Sequence[str | None]) -> list[int | None]:
        """As `Grader.group`."""
        return self._answers.group(answers)

    def close(self) -> None:
        """Say how many calls failed, and begin to count anew."""
        self._answers.close()
        num_failed = self.errors.total()
        if num_failed:
            reasons = "; ".join(f"{count} x {reason}" for reason, count in self.errors.most_common(3))
            log.warning(
                "grader %s failed on %d of %d responses: %s",
                self.name,
                num_failed,
                num_failed + self.num_graded,
                reasons,
            )
        self.num_graded, self.errors = 0, Counter()

    def __enter__(self) -> OwnGrader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _count(self, reason: str) -> None:
        """Count a failure; the first of its kind is shown at once."""
        self.errors[reason] += 1
        if self.errors[reason] == 1:
            log.warning("grader %s failed: %s. The response is counted as not graded.", self.name, reason)
        if not self.num_graded and self.errors.total() >= MOST_FAILURES:
            raise ConfigError(
                f"grader {self.name} failed on each of the first {MOST_FAILURES} responses, last with: {reason}. "
                f"Expected {EXPECTED} of function(text, problem). Mend it."
            )


def _given(value: object) -> Grade:
    """What a function returned as a grade.

    Raises:
        TypeError, ValueError: it is none.
    """
    if isinstance(value, Grade):
        return value
    if isinstance(value, bool):
        return Grade(Outcome.CORRECT if value else Outcome.WRONG)
    if isinstance(value, str) and value in ("correct", "wrong", "unparseable"):
        return Grade(Outcome(value))
    if isinstance(value, str | bytes) or not isinstance(value, SupportsFloat):
        raise TypeError(f"returned {value!r}; expected {EXPECTED}")
    score = float(value)
    if not math.isfinite(score):
        raise ValueError(f"returned {value!r}; expected a finite score")
    return Grade(Outcome.CORRECT if score >= CORRECT_FROM else Outcome.WRONG, score=score)
