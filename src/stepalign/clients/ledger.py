"""The ledger counts what was asked, what it cost, and what became of every rollout; the budget is never overspent.

Two sums hold: num_samples = num_verified + all of num_rejected; and as long as nothing stopped the run, every ask was a
request or a cached reply: num_samples + all of num_reasked = num_requests - num_retries + num_cached. `num_requests`
counts everything sent, retries included. Tokens and cost are those of this run; cached replies were paid for earlier.

Each request reserves the most it can cost and then settles what it did cost. One that does not fit waits for those
under way to settle; when none is under way, the run stops.

    >>> ledger = Ledger()
    >>> ledger.count("skipped", "wrong_answer")
    >>> ledger.num_samples, ledger.to_json()["num_rejected"]
    (1, {'wrong_answer': 1})
    >>> budget = Budget(ClientSettings("critic", base_url="http://127.0.0.1:8000/v1", model="m", token_budget=1000))
    >>> most = asyncio.run(budget.reserve(100, 800))
    >>> budget.settle(most, budget.amount(100, 20))
    >>> budget.spent
    Amount(tokens=120, cost=0.0)
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stepalign.clients.client import Stop
from stepalign.clients.settings import ClientSettings


@dataclass
class Ledger:
    """Running totals; `num_reasked` counts rejected replies that were asked for again, by reason; `said` are
    the words of what gave no reply, by reason too, the last one said last."""

    num_samples: int = 0
    num_requests: int = 0
    num_cached: int = 0
    num_retries: int = 0
    num_verified: int = 0
    num_rejected: Counter[str] = field(default_factory=Counter[str])
    num_reasked: Counter[str] = field(default_factory=Counter[str])
    said: dict[str, str] = field(default_factory=dict[str, str])
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

    def hear(self, reason: str, words: str) -> bool:
        """Keep what was said; whether that reason is new."""
        is_new = self.said.pop(reason, None) is None
        self.said[reason] = words
        return is_new

    def to_json(self) -> dict[str, Any]:
        """The ledger as `ledger.json`, reasons in alphabetical order."""
        row = dict(self.__dict__)
        row["num_rejected"] = dict(sorted(self.num_rejected.items()))
        row["num_reasked"] = dict(sorted(self.num_reasked.items()))
        if not self.said:
            del row["said"]
        row["cost"] = round(self.cost, 6)
        row["wall_s"] = round(self.wall_s, 3)
        return row


class Amount(NamedTuple):
    """Tokens, in and out together, and money."""

    tokens: float
    cost: float


class Budget:
    """Of the settings' token_budget and cost_budget; 0 is no limit. Prices are per million tokens."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self.limit = Amount(settings.token_budget or float("inf"), settings.cost_budget or float("inf"))
        self.spent = Amount(0, 0.0)
        self._reserved = Amount(0, 0.0)
        self._num_reserved = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def amount(self, tokens_in: int, tokens_out: int) -> Amount:
        """What so many tokens are and cost."""
        prices = self._settings.price_in, self._settings.price_out
        return Amount(tokens_in + tokens_out, (tokens_in * prices[0] + tokens_out * prices[1]) / 1e6)

    async def reserve(self, most_in: int, most_out: int) -> Amount:
        """Set the most that a request can cost aside.

        Raises:
            Stop: it would not fit even if nothing else were under way.
        """
        most = self.amount(most_in, most_out)
        while not self._fits(most):
            if not self._num_reserved:
                raise Stop("budget", self._message(most))
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._reserved = _add(self._reserved, most)
        self._num_reserved += 1
        return most

    def settle(self, most: Amount, spent: Amount | None = None) -> None:
        """Replace a reservation by what was spent; None: nobody knows, so all of it."""
        self._num_reserved -= 1
        self._reserved = (
            _add(self._reserved, Amount(-most.tokens, -most.cost)) if self._num_reserved else Amount(0, 0.0)
        )
        self.spent = _add(self.spent, most if spent is None else spent)
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)

    def _fits(self, most: Amount) -> bool:
        total = _add(_add(self.spent, self._reserved), most)
        return total.tokens <= self.limit.tokens and total.cost <= self.limit.cost

    def _message(self, most: Amount) -> str:
        name, role = self._settings.name, self._settings.role
        if self.spent.tokens + most.tokens > self.limit.tokens:
            return (
                f"the {role}'s token budget of {self.limit.tokens:.0f} is used up: {self.spent.tokens:.0f} spent, and "
                f"the next request may take {most.tokens:.0f}. Raise {name('token_budget')}, or lower "
                f"{name('max_tokens')}."
            )
        return (
            f"the {role}'s cost budget of {self.limit.cost:g} is used up: {self.spent.cost:.4f} spent, and the next "
            f"request may cost {most.cost:.4f}. Raise {name('cost_budget')}, or lower {name('max_tokens')}."
        )


def _add(a: Amount, b: Amount) -> Amount:
    return Amount(a.tokens + b.tokens, a.cost + b.cost)
