import asyncio

import pytest

from stepalign.clients.client import Stop
from stepalign.clients.ledger import Budget
from stepalign.clients.settings import ClientSettings


def make_budget(role="critic", **limits):
    return Budget(ClientSettings(role, "local", model="m", **limits))


def test_a_request_that_does_not_fit_waits_for_those_under_way():
    async def main():
        budget = make_budget(token_budget=100)
        first = await budget.reserve(30, 30)
        second = asyncio.create_task(budget.reserve(30, 30))
        await asyncio.sleep(0)
        assert not second.done()
        budget.settle(first, budget.amount(10, 10))
        await second
        assert budget.spent.tokens == 20

    asyncio.run(main())


def test_a_request_that_will_never_fit_stops():
    async def main():
        budget = make_budget(token_budget=100)
        budget.settle(await budget.reserve(50, 40))  # nobody knows what it cost: all of it
        assert budget.spent.tokens == 90
        message = "the critic's token budget of 100 is used up: 90 spent.*Raise critic_token_budget, or lower "
        with pytest.raises(Stop, match=message):
            await budget.reserve(5, 6)
        await budget.reserve(5, 5)

    asyncio.run(main())


def test_no_limits():
    async def main():
        budget = make_budget()
        for _ in range(100):
            await budget.reserve(10**9, 10**9)

    asyncio.run(main())
