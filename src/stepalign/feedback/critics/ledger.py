"""The ledger: what was asked, what it cost, and what became of every rollout.

Two sums hold: num_samples = num_verified + all of num_rejected; and as long as nothing stopped the run, every ask was a
request or a cached reply: num_samples + all of num_reasked = num_requests - num_retries + num_cached. `num_requests`
counts everything sent, retries included. Tokens and cost are those of this run; cached replies were paid for earlier.

    ledger = Ledger(); ledger.count(record); ledger.to_json()
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Ledger:
    """Running totals; `num_reasked` counts rejected replies that were asked for again, by reason."""

    num_samples: int = 0
    num_requests: int = 0
    num_cached: int = 0
    num_retries: int = 0
    num_verified: int = 0
    num_rejected: Counter[str] = field(default_factory=Counter[str])
    num_reasked: Counter[str] = field(default_factory=Counter[str])
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    wall_s: float = 0.0

    def count(self, status: str, reason: str) -> None:
        """Account for one rollout's outcome."""
        self.num_samples += 1
        if status == "verified":
            self.num_verified += 1
        else:
            self.num_rejected[reason] += 1

    def to_json(self) -> dict[str, Any]:
        """The ledger as `ledger.json`, reasons in alphabetical order."""
        row = dict(self.__dict__)
        row["num_rejected"] = dict(sorted(self.num_rejected.items()))
        row["num_reasked"] = dict(sorted(self.num_reasked.items()))
        row["cost"] = round(self.cost, 6)
        row["wall_s"] = round(self.wall_s, 3)
        return row
