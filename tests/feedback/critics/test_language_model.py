import asyncio

import pytest
from tests.fault_server import Answer, FaultServer, edit

from stepalign.core.errors import ConfigError
from stepalign.feedback.critics.build import build_critic
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.models.random_init import save_random_qwen3

from .conftest import RIGHT, check_sums, many

FIXED = Answer(edit("D", 1, ["5 * 4 = 20"], "20"))


def test_records_come_in_order_and_are_heard_of_at_once(make_critic):
    heard = []
    with FaultServer(lambda number, body: FIXED) as server:
        critic = make_critic(server.url)
        records = critic.critique(many(20), lambda i, record: heard.append(i))
    assert [record.problem_id for record in records] == [f"p{i}" for i in range(20)]
    assert sorted(heard) == list(range(20))
    assert records[0].to_json() == {
        "problem_id": "p0",
        "sample": 0,
        "status": "verified",
        "case": "D",
        "first_wrong_step": 2,
        "steps": [{"text": "2 + 3 = 5", "origin": "copied"}, {"text": "5 * 4 = 20", "origin": "rewritten"}],
        "answer": "20",
        "reply": FIXED.content,
        "text": "<step_1>2 + 3 = 5</step_1>\n<step_2>5 * 4 = 20</step_2>\n<answer>20</answer>",
    }
    assert records[0].critique.source == "openai:m"


def test_the_ledger(make_critic):
    def script(number, body):
        return Answer("no") if "Problem 3:" in body["messages"][-1]["content"] else FIXED

    with FaultServer(script) as server:
        critic = make_critic(server.url)
        critic.critique(many(20))
    row = critic.ledger.to_json()
    assert row.pop("wall_s") > 0
    assert row == {
        "num_samples": 20,
        "num_requests": 22,
        "num_cached": 0,
        "num_retries": 0,
        "num_verified": 19,
        "num_rejected": {"not_json": 1},
        "num_reasked": {"not_json": 2},
        "tokens_in": 220,
        "tokens_out": 110,
        "cost": 0.0,
    }


def test_nothing_is_paid_for_twice(make_critic):
    with FaultServer(lambda number, body: FIXED) as server:
        first = make_critic(server.url).critique(many(20))
        again = make_critic(server.url)
        assert again.critique(many(20)) == first
        assert len(server.requests) == 20
    row = again.ledger.to_json()
    assert (row["num_requests"], row["num_cached"], row["tokens_in"]) == (0, 20, 0)


def test_rejected_replies_come_from_the_cache_too(make_critic, rollout):
    with FaultServer(lambda number, body: Answer("no") if number < 2 else FIXED) as server:
        (first,) = make_critic(server.url).critique([rollout()])
        again = make_critic(server.url)
        assert again.critique([rollout()]) == [first]
        assert len(server.requests) == 3
    assert again.ledger.num_cached == 3 and again.ledger.num_reasked == {"not_json": 2}


def test_errors_are_never_cached(make_critic, rollout):
    with FaultServer(lambda number, body: Answer(status=500) if number < 6 else FIXED) as server:
        (failed,) = make_critic(server.url).critique([rollout()])
        (mended,) = make_critic(server.url).critique([rollout()])
    assert (failed.reason, mended.status) == ("http_500", "verified")


def test_equal_requests_under_way_are_one(make_critic, rollout):
    rollouts = [rollout(sample=i) for i in range(4)]
    with FaultServer(lambda number, body: FIXED) as server:
        critic = make_critic(server.url)
        records = critic.critique(rollouts)
        assert len(server.requests) == 1
    assert {record.status for record in records} == {"verified"}
    assert critic.ledger.num_requests + critic.ledger.num_cached == 4


def test_offline_uses_the_cache_alone(make_critic):
    with FaultServer(lambda number, body: FIXED) as server:
        make_critic(server.url).critique(many(3))
    critic = make_critic(server.url, critic_offline=True)
    records = critic.critique(many(5))
    assert [record.reason for record in records] == ["", "", "", "offline", "offline"]
    assert critic.ledger.num_requests == 0
    check_sums(critic.ledger)


def test_what_the_cache_holds_is_used_after_a_stop(make_critic):
    with FaultServer(lambda number, body: FIXED) as server:
        make_critic(server.url).critique(many(10)[5:])
        critic = make_critic(server.url, critic_token_budget=1)
        with pytest.raises(Exception, match="5 of 10 critiques are verified"):
            critic.critique(many(10))
    assert critic.ledger.num_rejected == {"budget": 5}


def test_the_rewrite_protocol(make_critic, rollout):
    with FaultServer(lambda number, body: Answer(RIGHT)) as server:
        critic = make_critic(server.url, critique_protocol="rewrite")
        (record,) = critic.critique([rollout()])
    assert (record.critique.case, record.critique.first_wrong_step) == ("D", 2)
    assert "response_format" not in server.requests[0]


def test_extra_keys_are_merged_and_null_removes(make_critic, rollout):
    extra = '{"max_tokens": null, "max_completion_tokens": 50, "reasoning_effort": "low"}'
    with FaultServer(lambda number, body: FIXED) as server:
        make_critic(server.url, critic_extra_body=extra).critique([rollout()])
    body = server.requests[0]
    assert "max_tokens" not in body and body["max_completion_tokens"] == 50 and body["reasoning_effort"] == "low"
    assert body["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize("extra", ["{", "[]", "5"])
def test_extra_keys_must_be_an_object(extra, make_critic):
    with pytest.raises(ConfigError, match="critic_extra_body must be a JSON object"):
        make_critic("http://127.0.0.1:1/v1", critic_extra_body=extra)


def test_nothing_to_do(make_critic):
    assert make_critic("http://127.0.0.1:1/v1").critique([]) == []


def test_it_works_inside_a_running_loop(make_critic, rollout):
    async def notebook():
        return make_critic(server.url).critique([rollout()])

    with FaultServer(lambda number, body: FIXED) as server:
        assert asyncio.run(notebook())[0].status == "verified"


def test_a_model_of_random_weights_is_a_critic_whose_replies_are_all_rejected(tmp_path, grade):
    model = str(save_random_qwen3(tmp_path / "model", [RIGHT]))
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
