"""A rollout: one sampled response with its token ids, why it stopped, and its grade once it has one.

>>> rollout = Rollout(Problem("p1", "What is 2 + 2?", "4"), sample=0, text="<answer>4</answer>", token_ids=(5, 9))
>>> rollout.num_tokens, rollout.finish_reason, rollout.trace.answer
(2, 'stop', '4')
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Literal

from stepalign.core.problem import Problem
from stepalign.core.text import clean_fields
from stepalign.core.trace import Trace

FinishReason = Literal["stop", "length"]


class Outcome(StrEnum):
    """What grading found. All but the first two are counted on their own, never silently as wrong.

    `error`: a program raised or broke off; or a grader of the user's own raised, or returned what is no grade.
    `memory`: a program took more than it may.
    """

    CORRECT = "correct"
    WRONG = "wrong"
    UNPARSEABLE = "unparseable"
    TIMEOUT = "timeout"
    ERROR = "error"
    MEMORY = "memory"


@dataclass(frozen=True)
class Detail:
    """Why a program is not right.

    Attributes:
        type: the exception's name; where there is none WrongAnswer, Timeout, MemoryLimit, OutputLimit, Exit (it broke
            off) or UnsupportedTest.
        message: what it says; of a wrong answer what was expected and what came.
        line: of the program as the solver wrote it, from 1; None where it lies elsewhere or nowhere.
        test: the test that failed, as it stands in the problem; None where none had begun.
    """

    type: str
    message: str = ""
    line: int | None = None
    test: str | None = None


@dataclass(frozen=True)
class Grade:
    """The outcome, the answer text it was based on (None where no answer was found; of a program its code), the score
    of a grader that gives one: GRPO's reward, and of a program that is not right why."""

    outcome: Outcome
    extracted: str | None = None
    score: float | None = None
    detail: Detail | None = None

    def __repr__(self) -> str:
        score = "" if self.score is None else f", score={self.score:g}"
        detail = "" if self.detail is None else f", detail={self.detail!r}"
        return f"Grade(outcome={self.outcome!r}, extracted={self.extracted!r}{score}{detail})"

    @property
    def is_correct(self) -> bool:
        """Whether the answer is right; what could not be graded is not."""
        return self.outcome is Outcome.CORRECT

    @property
    def reward(self) -> float | None:
        """The score, else 1 for a correct answer and 0 for another; None where grading itself failed.

        A program that raises, never ends or takes all memory is no failure of grading: `detail` tells which it was.
        """
        if self.outcome in (Outcome.TIMEOUT, Outcome.ERROR) and self.detail is None:
            return None
        return float(self.is_correct) if self.score is None else self.score


@dataclass(frozen=True)
class Rollout:
    """A response that the solver sampled for a problem.

    `finish_reason` is "length" when the token limit cut it off. `token_ids` are the sampled ids, end-of-sequence
    included. `num_tokens` is their number; it may be known where the ids are not, None where neither is.
    """

    problem: Problem
    sample: int
    text: str
    token_ids: tuple[int, ...] = ()
    finish_reason: FinishReason = "stop"
    grade: Grade | None = None
    num_tokens: int | None = None

    def __post_init__(self) -> None:
        clean_fields(self, "text")
        if self.num_tokens is None and self.token_ids:
            object.__setattr__(self, "num_tokens", len(self.token_ids))

    @property
    def trace(self) -> Trace:
        """The text split into steps and an answer; of a problem that has tests, into the lines of the program."""
        return self.problem.trace(self.text)

    def graded(self, grade: Grade) -> Rollout:
        """The same rollout with a grade."""
        return replace(self, grade=grade)

    def to_json(self) -> dict[str, Any]:
        """The rollout as a row of `samples.jsonl`."""
        row: dict[str, Any] = {"problem_id": self.problem.id, "sample": self.sample, "text": self.text}
        if self.num_tokens is not None:
            row["num_tokens"] = self.num_tokens
        row["finish_reason"] = self.finish_reason
        return row | self.grade_json()

    def grade_json(self) -> dict[str, Any]:
        """The part of a row that is its grade; empty where it has none."""
        if self.grade is None:
            return {}
        row: dict[str, Any] = {"grade": self.grade.outcome.value, "extracted": self.grade.extracted}
        score = {} if self.grade.score is None else {"score": self.grade.score}
        return row | score | ({} if self.grade.detail is None else {"detail": asdict(self.grade.detail)})
