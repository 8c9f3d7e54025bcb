import asyncio

import pytest

from stepalign.core.errors import ModelError
from stepalign.feedback.critics.build import build_critic
from stepalign.feedback.critics.ledger import Ledger
from stepalign.feedback.critics.local import LocalWriter
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.critics.writer import Reply, Request
from stepalign.models.random_init import save_random_qwen3

from .conftest import RIGHT, check_sums, many


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(save_random_qwen3(tmp_path_factory.mktemp("model"), [RIGHT]))


def ask(text: str, temperature: float = 0.0) -> Request:
    return Request({"messages": [{"role": "user", "content": text}], "temperature": temperature, "max_tokens": 8})


def test_a_batch_gives_what_each_gives_alone(model):
    ledger = Ledger()
    writer = LocalWriter(CriticSettings(critic="local", critic_model=model, critic_concurrency=3), ledger)

    async def write(*requests: Request) -> list[Reply]:
        async with writer:
            return await asyncio.gather(*(writer.write(request) for request in requests))

    requests = [ask("2 + 3"), ask("a longer question than that"), ask("5 * 4"), ask("x")]
    together = asyncio.run(write(*requests))
    alone = [asyncio.run(write(request))[0] for request in requests]
    assert together == alone
    assert ledger.num_requests == 8
    assert {reply.finish_reason for reply in together} == {"length"} and {reply.tokens_out for reply in together} == {8}


def test_a_model_of_random_weights_is_a_critic_whose_replies_are_all_rejected(model, grade):
    settings = CriticSettings(
        critic="local", critic_model=model, critic_concurrency=4, critic_max_tokens=8, critic_num_reasks=1
    )
    critic = build_critic(settings, grade)
    records = critic.critique(many(6))
    assert {record.reason for record in records} == {"cut_off"}
    assert critic.ledger.num_requests == 12 and critic.ledger.tokens_out == 12 * 8
    check_sums(critic.ledger)
    again = build_critic(settings, grade)
    assert again.critique(many(6)) == records and again.ledger.num_requests == 0


def test_a_directory_that_is_no_model(tmp_path, grade):
    critic = build_critic(CriticSettings(critic="local", critic_model=str(tmp_path)), grade)
    with pytest.raises(ModelError, match="cannot be loaded"):
        critic.critique(many(2))


def test_sampling_leaves_the_callers_random_numbers_alone_and_repeats(model):
    import torch

    async def write(*requests: Request) -> list[Reply]:
        async with LocalWriter(CriticSettings(critic="local", critic_model=model), Ledger()) as writer:
            return await asyncio.gather(*(writer.write(request) for request in requests))

    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second = (asyncio.run(write(ask("2 + 3", 1.0), ask("5 * 4", 1.0))) for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), before)
    (other,) = asyncio.run(write(Request({**ask("2 + 3", 1.0).body}, ask=2)))
    assert other != first[0]


def test_a_model_trained_again_is_asked_again(tmp_path):
    settings = CriticSettings(critic="local", critic_model=str(save_random_qwen3(tmp_path / "model", [RIGHT])))
    url = LocalWriter(settings, Ledger()).url
    assert LocalWriter(settings, Ledger()).url == url
    (tmp_path / "model" / "model.safetensors").write_bytes(b"other weights")
    assert LocalWriter(settings, Ledger()).url != url
