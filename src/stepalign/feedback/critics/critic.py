"""What every critic is: rollouts in, one critique record a rollout out, in order, and a ledger that accounts for all.

A critic is synchronous to its caller, however much it does at once inside: training calls it between two steps.

    >>> for record in critic.critique(rollouts):
    ...     print(record.status, record.reason, record.critique.case)
    verified  C
    verified  D
    verified  A
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from stepalign.clients.ledger import Ledger
from stepalign.core.critique import Critique
from stepalign.core.errors import CriticError
from stepalign.core.rollout import Rollout

Status = Literal["verified", "unverified", "skipped"]
OnRecord = Callable[[int, "CritiqueRecord"], object]


@dataclass(frozen=True)
class CritiqueRecord:
    """The outcome for one rollout.

    verified: the critique's answer was graded correct. unverified: the reference solution stands in for a rejected
    critique. skipped: there is none. `reason` says why it is not verified: "wrong_answer", "leak", "http_500", …
    `reply` is then the critic's last reply as it came, None where there was none; a verified critique has its own.
    """

    problem_id: str
    sample: int
    status: Status
    critique: Critique | None = None
    reason: str = ""
    reply: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The record as a row of `critiques.jsonl`."""
        critique = self.critique
        row: dict[str, Any] = {"problem_id": self.problem_id, "sample": self.sample, "status": self.status}
        if self.reason:
            row["reason"] = self.reason
        if self.reply is not None:
            row["reply"] = self.reply
        row |= {"case": None, "first_wrong_step": None, "steps": [], "answer": None, "text": None}
        if critique is not None:
            row |= critique.to_json() | {"text": critique.text}
        return row


def rewrite_record(
    rollout: Rollout, critique: Critique | None, reason: str, reply: str | None = None
) -> CritiqueRecord:
    """The record of a step that was written again: its answer may be wrong, which is no reason to reject it."""
    key = rollout.problem.id, rollout.sample
    if critique is None:
        return CritiqueRecord(*key, "skipped", None, reason, reply)
    return CritiqueRecord(*key, "verified" if critique.verified else "unverified", critique)


class Critic(Protocol):
    """Anything that critiques rollouts; `ledger` runs over all calls."""

    name: str
    ledger: Ledger

    def critique(self, rollouts: Sequence[Rollout], on_record: OnRecord | None = None) -> list[CritiqueRecord]:
        """One record a rollout, in order; `on_record` hears of each with its index as soon as it is there.

        Raises:
            CriticStopped: a budget ran out or the critic cannot be reached.
        """
        ...


class RewritingCritic(Critic, Protocol):
    """A critic that can be told which step to write again."""

    can_rewrite: bool

    def rewrite(self, rollouts: Sequence[Rollout], steps: Sequence[int]) -> list[CritiqueRecord]:
        """One record a rollout, in order, whose critique keeps all before the step (from 1), writes that step again and
        carries on to an answer, whatever is right or wrong. Not counted in the ledger, but for what it costs.

        Raises:
            CriticStopped: a budget ran out or the critic cannot be reached.
        """
        ...


class CriticStopped(CriticError):
    """The critic had to stop; `records` has one entry for each rollout all the same, the missing ones skipped."""

    def __init__(self, message: str, records: list[CritiqueRecord]) -> None:
        super().__init__(message)
        self.records = records


class Rejected(Exception):
    """A reply that is no usable critique; becomes a counted reason at the critic's boundary."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
