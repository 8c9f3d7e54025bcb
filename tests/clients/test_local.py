import asyncio

import pytest

from stepalign.clients.client import Reply, Request
from stepalign.clients.local import LocalClient
from stepalign.clients.settings import ClientSettings
from stepalign.core.errors import ModelError
from stepalign.models.random_init import save_random_qwen3

TEXT = "<step_1>2 + 3 = 5</step_1>\n<step_2>5 * 4 = 20</step_2>\n<answer>20</answer>"


def make_client(model, **options) -> LocalClient:
    return LocalClient(ClientSettings("critic", "local", model=str(model), **options))


async def write(client: LocalClient, *requests: Request) -> list[Reply]:
    async with client:
        return await asyncio.gather(*(client.write(request) for request in requests))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(save_random_qwen3(tmp_path_factory.mktemp("model"), [TEXT]))


def ask(text: str, temperature: float = 0.0) -> Request:
    return Request({"messages": [{"role": "user", "content": text}], "temperature": temperature, "max_tokens": 8})


def test_a_batch_gives_what_each_gives_alone(model):
    client = make_client(model, concurrency=3)
    requests = [ask("2 + 3"), ask("a longer question than that"), ask("5 * 4"), ask("x")]
    together = asyncio.run(write(client, *requests))
    alone = [asyncio.run(write(client, request))[0] for request in requests]
    assert together == alone
    assert client.ledger.num_requests == 8
    assert {reply.finish_reason for reply in together} == {"length"} and {reply.tokens_out for reply in together} == {8}


def test_a_directory_that_is_no_model(tmp_path):
    with pytest.raises(ModelError, match=r"critic_model '.*' cannot be loaded"):
        asyncio.run(make_client(tmp_path).check())


def test_sampling_leaves_the_callers_random_numbers_alone_and_repeats(model):
    import torch

    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second = (asyncio.run(write(make_client(model), ask("2 + 3", 1.0), ask("5 * 4", 1.0))) for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), before)
    (other,) = asyncio.run(write(make_client(model), Request({**ask("2 + 3", 1.0).body}, ask=2)))
    assert other != first[0]


def test_a_model_trained_again_is_asked_again(tmp_path):
    model = save_random_qwen3(tmp_path / "model", [TEXT])
    url = make_client(model).url
    assert make_client(model).url == url
    (model / "model.safetensors").write_bytes(b"other weights")
    assert make_client(model).url != url
