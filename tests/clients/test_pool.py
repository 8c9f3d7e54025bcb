"""What critics and solvers share, over a client without a network."""

import asyncio

from stepalign.clients.client import Failed, Reply, Request, Stop
from stepalign.clients.ledger import Ledger
from stepalign.clients.pool import MOST_FAILURES, Pool
from stepalign.clients.settings import ClientSettings


class Client:
    url = "test"

    def __init__(self, fails=()):
        self.asked, self.fails, self.at_once, self.most_at_once = [], fails, 0, 0
        self.ledger = Ledger()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *details):
        pass

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


def make_pool(client, **options):
    settings = {"base_url": "http://test/v1", "model": "m", "concurrency": 3, **options}
    return Pool(ClientSettings("solver", **settings), client)


def ask(pool, numbers):
    """The replies or exceptions to requests that differ in their number."""

    async def work():
        async with pool:
            requests = [Request({"messages": []}, number) for number in numbers]
            return await asyncio.gather(*(pool.reply(request) for request in requests), return_exceptions=True)

    return asyncio.run(work())


def test_all_at_once_but_no_more_than_the_limit():
    client = Client()
    replies = ask(make_pool(client), range(20))
    assert [reply.text for reply in replies] == [f"reply {i}" for i in range(20)]
    assert client.most_at_once == 3


def test_equal_requests_once_and_again_from_the_cache():
    client = Client()
    pool = make_pool(client)
    replies = ask(pool, [1, 1, 2])
    assert len(client.asked) == 2 and pool.ledger.num_cached == 1 and replies[0] == replies[1]
    assert ask(pool, [1, 2]) == replies[1:]  # entered again, on another loop
    assert len(client.asked) == 2 and pool.ledger.num_cached == 3


def test_after_many_failures_no_request_is_sent_and_the_cache_is_still_used():
    ask(make_pool(Client()), [99])
    client = Client(fails=range(50))
    pool = make_pool(client, concurrency=1)
    replies = ask(pool, [*range(50), 99])
    assert len(client.asked) == MOST_FAILURES
    assert [type(reply) for reply in replies] == [Failed] * MOST_FAILURES + [Stop] * (50 - MOST_FAILURES) + [Reply]
    assert str(replies[-2]) == "the solver at test failed 10 times in a row, last with http_400: no."
    assert type(ask(pool, [60])[0]) is Reply  # entered again it tries again


def test_why_there_is_no_reply_is_kept_and_told_once(caplog):
    pool = make_pool(Client(fails=range(3)), concurrency=1)
    ask(pool, range(4))
    assert pool.ledger.said == {"http_400": "no"} and pool.ledger.to_json()["said"] == {"http_400": "no"}
    assert caplog.text.count("the solver at test gave no reply (http_400: no)") == 1
    ask(pool, [5])
    assert "said" not in make_pool(Client()).ledger.to_json()


def test_failures_with_replies_in_between_stop_nothing():
    every_third = list(range(0, 60, 3))
    assert len(every_third) > MOST_FAILURES
    replies = ask(make_pool(Client(fails=every_third), concurrency=1), range(60))
    assert [i for i, reply in enumerate(replies) if not isinstance(reply, Reply)] == every_third


def test_offline_nothing_is_asked():
    client = Client()
    (stop,) = ask(make_pool(client, offline=True), [1])
    assert client.asked == [] and isinstance(stop, Stop)
    assert str(stop) == "solver_offline is set, and the cache lacks a reply of the solver."
