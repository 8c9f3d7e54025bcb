"""A rollout: one sampled response with its token ids, why it stopped, and its grade once it has one.

>>> rollout = Rollout(Problem("p1", "What is 2 + 2?", "4"), sample=0, text="<answer>4</answer>", token_ids=(5, 9))
>>> rollout.num_tokens, rollout.finish_reason, rollout.trace.answer
(2, 'stop', '4')
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

from stepalign.core.problem import Problem
from stepalign.core.text import clean_fields
from stepalign.core.trace import Trace, parse_trace

FinishReason = Literal["stop", "length"]


class Outcome(StrEnum):
    """What grading found. Unparseable and timeout are counted on their own, never silently as wrong."""

    CORRECT = "correct"
    WRONG = "wrong"
    UNPARSEABLE = "unparseable"
    TIMEOUT = "timeout"


@dataclass(frozen=True)
class Grade:
    """The outcome and the answer text it was based on (None where no answer was found)."""

    outcome: Outcome
    extracted: str | None = None

    @property
    def is_correct(self) -> bool:
        """Whether the answer is right; what could not be graded is not."""
        return self.outcome is Outcome.CORRECT


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
        """The text split into steps and an answer."""
        return parse_trace(self.text)

    def graded(self, grade: Grade) -> Rollout:
        """The same rollout with a grade."""
        return replace(self, grade=grade)

    def to_json(self) -> dict[str, Any]:
        """The rollout as a row of `samples.jsonl`."""
        row: dict[str, Any] = {"problem_id": self.problem.id, "sample": self.sample, "text": self.text}
        if self.num_tokens is not None:
            row["num_tokens"] = self.num_tokens
        row["finish_reason"] = self.finish_reason
        if self.grade is not None:
            row["grade"] = self.grade.outcome.value
            row["extracted"] = self.grade.extracted
        return row
