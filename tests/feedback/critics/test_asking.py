"""The client that critics and solvers share, on a writer without a network."""

import asyncio

import pytest

from stepalign.feedback.critics.asking import MOST_FAILURES, Asking
from stepalign.feedback.critics.cache import ReplyCache
from stepalign.feedback.critics.ledger import Ledger
from stepalign.feedback.critics.writer import Failed, Reply, Request, Stop


class Writer:
    url = "test"

    def __init__(self, fails=()):
        self.asked, self.fails, self.at_once, self.most_at_once = [], fails, 0, 0

    async def check(self):
        pass

    async def write(self, request):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        self.asked.append(request)
        if request.ask in self.fails:
            raise Failed("http_400", "no")
        return Reply(f"reply {request.ask}")


def ask(tmp_path, writer, numbers, **options):
    """The replies or exceptions to requests that differ in their number."""

    async def work():
        asking = Asking(
            writer, ReplyCache(tmp_path / "c"), ledger, model="m", **{"concurrency": 3, "role": "solver", **options}
        )
        requests = [Request({"messages": []}, number) for number in numbers]
        return await asyncio.gather(*(asking.reply(request) for request in requests), return_exceptions=True)

    ledger = Ledger()
    return asyncio.run(work()), ledger


def test_all_at_once_but_no_more_than_the_limit(tmp_path):
    writer = Writer()
    replies, _ = ask(tmp_path, writer, range(20))
    assert [reply.text for reply in replies] == [f"reply {i}" for i in range(20)]
    assert writer.most_at_once == 3


def test_equal_requests_once_and_again_from_the_cache(tmp_path):
    writer = Writer()
    replies, ledger = ask(tmp_path, writer, [1, 1, 2])
    assert len(writer.asked) == 2 and ledger.num_cached == 1 and replies[0] == replies[1]
    again, ledger = ask(tmp_path, writer, [1, 2])
    assert len(writer.asked) == 2 and ledger.num_cached == 2 and again == replies[1:]


def test_after_many_failures_no_request_is_sent_and_the_cache_is_still_used(tmp_path):
    ask(tmp_path, Writer(), [99])
    writer = Writer(fails=range(50))
    replies, _ = ask(tmp_path, writer, [*range(50), 99], concurrency=1)
    assert len(writer.asked) == MOST_FAILURES
    assert [type(reply) for reply in replies] == [Failed] * MOST_FAILURES + [Stop] * (50 - MOST_FAILURES) + [Reply]
    assert str(replies[-2]) == "the solver at test failed 10 times in a row, last with http_400: no."


def test_failures_with_replies_in_between_stop_nothing(tmp_path):
    every_third = list(range(0, 60, 3))
    assert len(every_third) > MOST_FAILURES
    replies, _ = ask(tmp_path, Writer(fails=every_third), range(60), concurrency=1)
    assert [i for i, reply in enumerate(replies) if not isinstance(reply, Reply)] == every_third


@pytest.mark.parametrize("is_error", [True, False])
def test_stopped_from_the_start(tmp_path, is_error):
    writer = Writer()
    replies, _ = ask(tmp_path, writer, [1], stop=Stop("offline", "no", is_error=is_error))
    assert writer.asked == [] and isinstance(replies[0], Stop)
