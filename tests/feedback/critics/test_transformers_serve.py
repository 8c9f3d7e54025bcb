"""The wire, against a real server: `transformers serve` with a tiny model of random weights."""

import pytest

from stepalign.models.random_init import save_random_qwen3

from .conftest import RIGHT, check_sums, many

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def server(serve, tmp_path_factory):
    model = save_random_qwen3(tmp_path_factory.mktemp("model"), [RIGHT])
    with serve(model, model.parent / "serve.log") as url:
        yield url, str(model)


def test_replies_arrive_are_counted_and_cached(server, make_critic):
    url, model = server
    options = {"critic_model": model, "critic_max_tokens": 12, "critic_num_reasks": 1, "critic_concurrency": 2}
    critic = make_critic(url, **options)
    records = critic.critique(many(4))
    assert {record.status for record in records} == {"skipped"}
    assert {record.reason for record in records} <= {"cut_off", "empty", "not_json"}
    ledger = critic.ledger
    assert ledger.num_requests - ledger.num_retries == 8  # it may refuse while it loads the model
    assert ledger.tokens_in > 1000 and 0 < ledger.tokens_out <= 8 * 12
    check_sums(ledger)
    again = make_critic(url, **options)
    assert again.critique(many(4)) == records
    assert (again.ledger.num_requests, again.ledger.num_cached) == (0, 8)


def test_another_model_name_is_refused(server, make_critic):
    critic = make_critic(server[0], critic_model="other")
    (record,) = critic.critique(many(1))
    assert record.reason == "http_400"
