"""The wire, against a real server with a real grammar: llama.cpp serves a real model of 135 M parameters.

Its critiques are poor. What is tested is the protocol: that the schema arrives and is enforced, why a reply ends, and
what is said when a prompt has no room.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stepalign.cli import main
from stepalign.core.files import read_jsonl, write_jsonl

from .conftest import WRONG, check_sums, many

pytestmark = [pytest.mark.slow, pytest.mark.real_model]
SERVER = Path(__file__).parents[2] / "llama_server.py"
UNREADABLE = {"not_json", "wrong_shape"}
"""Reasons of replies that are no critique in form."""


@pytest.fixture(scope="module")
def server(smollm2_file, tmp_path_factory):
    if os.environ.get("STEPALIGN_REQUIRE_REAL_MODEL") != "1":
        pytest.importorskip("xllamacpp", reason="needs xllamacpp: pip install -e '.[dev]'")
    log = tmp_path_factory.mktemp("llama") / "log"
    with log.open("w") as errors:
        command = [sys.executable, str(SERVER), str(smollm2_file)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://"), log.read_text()[-2000:]
        yield f"{address}/v1"
    finally:
        process.terminate()
        process.wait()


OPTIONS = {"critic_model": "smollm2", "critic_concurrency": 2, "critic_num_reasks": 0, "critic_max_tokens": 300}


def replies(critic):
    """What the server wrote, reply by reply."""
    written = []
    client, write = critic.pool.client, critic.pool.client.write

    async def listen(request):
        reply = await write(request)
        written.append(reply)
        return reply

    client.write = listen
    return written


def test_the_schema_is_enforced(server, make_critic):
    """Whatever the model would have liked to write: every reply that is not cut off is a critique in form. Without the
    schema none even begins like one."""
    critic = make_critic(server, **OPTIONS)
    written = replies(critic)
    records = critic.critique(many(2))
    whole = [json.loads(reply.text) for reply in written if reply.finish_reason == "stop"]
    assert whole, [reply.text for reply in written]
    for reply in whole:
        assert set(reply) >= {"case", "answer"} and reply["case"] in "ABCD"
    assert not UNREADABLE & {record.reason for record in records}
    check_sums(critic.ledger)
    free = make_critic(server, **{**OPTIONS, "critic_max_tokens": 40}, critic_response_format="none")
    written = replies(free)
    assert {record.status for record in free.critique(many(2))} == {"skipped"}
    assert not [reply.text for reply in written if reply.text.lstrip().startswith("{")]


def test_a_reply_that_the_limit_cuts_off_is_told_as_that(server, make_critic):
    critic = make_critic(server, **{**OPTIONS, "critic_max_tokens": 4})
    written = replies(critic)
    (record,) = critic.critique(many(1))
    assert (record.status, record.reason) == ("skipped", "cut_off")
    assert [(reply.finish_reason, reply.tokens_out) for reply in written] == [("length", 4)]


def test_a_prompt_without_room_is_refused_in_the_servers_words(server, make_critic):
    critic = make_critic(server, **OPTIONS)
    (record,) = critic.critique(many(1, WRONG.replace("5", "word " * 3000, 1)))
    assert record.reason == "http_400"
    assert "exceeds the available context size" in critic.last_words
    assert critic.ledger.num_requests == 1  # asking again would not make it shorter


def test_as_a_solver_it_is_sampled_and_graded(server, tmp_path):
    problems = tmp_path / "p.jsonl"
    write_jsonl(problems, [{"id": str(i), "problem": f"What is {i} + 1?", "answer": str(i + 1)} for i in range(2)])
    argv = ["evaluate", "--model", "smollm2", "--problems", str(problems), "--output_dir", str(tmp_path / "out")]
    options = ["--num_samples", "2", "--max_new_tokens", "24", "--solver_base_url", server]
    assert main([*argv, *options]) == 0
    samples = read_jsonl(tmp_path / "out" / "samples.jsonl")
    assert len(samples) == 4 and all(0 < row["num_tokens"] <= 24 for row in samples)
    assert {row["finish_reason"] for row in samples} <= {"stop", "length"}
    assert all(row["num_tokens"] == 24 for row in samples if row["finish_reason"] == "length")
