"""A budget that is never overspent: each request reserves the most it can cost and then settles what it did cost.

A request that does not fit waits for those under way to settle; when none is under way, the run stops.

    most = await budget.reserve(most_in, most_out)
    budget.settle(most, budget.amount(tokens_in, tokens_out))
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

from stepalign.feedback.critics.writer import Stop


class Amount(NamedTuple):
    """Tokens, in and out together, and money."""

    tokens: float
    cost: float


class Budget:
    """Limits of 0 are no limits. Prices are per million tokens."""

    def __init__(self, max_tokens: int = 0, max_cost: float = 0.0, price_in: float = 0.0, price_out: float = 0.0):
        self.limit = Amount(max_tokens or float("inf"), max_cost or float("inf"))
        self.price_in, self.price_out = price_in, price_out
        self.spent = Amount(0, 0.0)
        self._reserved = Amount(0, 0.0)
        self._num_reserved = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def amount(self, tokens_in: int, tokens_out: int) -> Amount:
        return Amount(tokens_in + tokens_out, (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6)

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
        if self.spent.tokens + most.tokens > self.limit.tokens:
            return (
                f"the critic's token budget of {self.limit.tokens:.0f} is used up: {self.spent.tokens:.0f} spent, and "
                f"the next request may take {most.tokens:.0f}. Raise critic_token_budget, or lower critic_max_tokens."
            )
        return (
            f"the critic's cost budget of {self.limit.cost:g} is used up: {self.spent.cost:.4f} spent, and the next "
            f"request may cost {most.cost:.4f}. Raise critic_cost_budget, or lower critic_max_tokens."
        )


def _add(a: Amount, b: Amount) -> Amount:
    return Amount(a.tokens + b.tokens, a.cost + b.cost)
