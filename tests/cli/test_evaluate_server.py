"""`stepalign evaluate` with a server that samples."""

import gc
import json

import pytest
from tests.fault_server import Answer, FaultServer

from stepalign.cli import main
from stepalign.clients.server import ServerClient
from stepalign.core.files import read_jsonl, write_jsonl

PROBLEMS = [{"id": f"p{i}", "problem": f"What is {i} plus one?", "answer": str(i + 1)} for i in range(5)]
FILES = {"metrics.json", "samples.jsonl", "evaluation.json", "problems.used.jsonl"}
NUM_SAMPLES = 4


def number_of(body):
    """Which problem a request asks about."""
    return int(body["messages"][0]["content"].split("What is ")[1].split(" plus")[0])


@pytest.fixture
def server():
    """Right where the seed is even."""

    def script(number, body):
        i, right = number_of(body), body["seed"] % 2 == 0
        return Answer(f"<step_1>count on</step_1><answer>{i + 1 if right else 0}</answer>")

    with FaultServer(script) as server:
        yield server


@pytest.fixture
def evaluate(tmp_path):
    write_jsonl(tmp_path / "problems.jsonl", PROBLEMS)

    def run(url, out, *more):
        argv = ["evaluate", "--model", "served", "--problems", str(tmp_path / "problems.jsonl"), "--output_dir"]
        options = ["--solver_base_url", url, "--solver_num_retries", "0", "--num_samples", str(NUM_SAMPLES)]
        return main([*argv, str(tmp_path / out), *options, *more])

    return run


def test_samples_of_a_server_are_measured_like_any(evaluate, server, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-secret")
    more = ["--top_k", "20", "--no_thinking", "--max_new_tokens", "99", "--solver_api_key_env", "MY_KEY"]
    assert evaluate(server.url, "out", *more) == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (metrics["avg@4"], metrics["pass@4"], metrics["mean_length"]) == (0.5, 1.0, 5.0)
    samples = read_jsonl(tmp_path / "out" / "samples.jsonl")
    assert [(s["problem_id"], s["sample"]) for s in samples] == [
        (p["id"], i) for p in PROBLEMS for i in range(NUM_SAMPLES)
    ]
    assert [s["grade"] for s in samples[:4]] == ["correct", "wrong"] * 2
    body = server.requests[0]
    assert (body["model"], body["temperature"], body["top_k"], body["max_tokens"]) == ("served", 1.1, 20, 99)
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert "Authorization: Bearer sk-secret" in server.headers[0]
    assert {p.name for p in (tmp_path / "out").iterdir()} == FILES
    assert "sk-secret" not in "".join(p.read_text() for p in (tmp_path / "out").iterdir())


def test_another_evaluation_asks_again(evaluate, server):
    """Other weights may serve under the same name by then."""
    for out in ("one", "two"):
        assert evaluate(server.url, out) == 0
    assert len(server.requests) == 2 * NUM_SAMPLES * len(PROBLEMS)


def test_an_evaluation_cut_short_goes_on_and_asks_nothing_twice(evaluate, server, tmp_path, capsys):
    works = server.script
    server.script = lambda n, body: Answer(status=400) if number_of(body) == 3 else works(n, body)
    assert evaluate(server.url, "cut", "--solver_concurrency", "1") == 2
    assert "first of p3: http_400" in capsys.readouterr().err
    answered = [(number_of(body), body["seed"]) for body in server.requests if number_of(body) != 3]
    assert len(answered) == 4 * NUM_SAMPLES and not (tmp_path / "cut" / "metrics.json").exists()

    server.script = works
    assert evaluate(server.url, "cut", "--temperature", "0.5") == 2  # other settings are not mixed in
    first = len(server.requests)
    assert evaluate(server.url, "cut") == 0
    asked = [(number_of(body), body["seed"]) for body in server.requests[first:]]
    assert sorted(answered + asked) == [(i, seed) for i in range(len(PROBLEMS)) for seed in range(NUM_SAMPLES)]
    assert evaluate(server.url, "whole") == 0
    assert (tmp_path / "cut" / "samples.jsonl").read_bytes() == (tmp_path / "whole" / "samples.jsonl").read_bytes()


def test_bad_input(evaluate, capsys):
    assert evaluate("http://127.0.0.1:1/v1", "out", "--adapter", "a") == 2
    assert "--lora-modules" in capsys.readouterr().err
    assert evaluate("127.0.0.1:8000", "out") == 2
    assert "solver_base_url must begin with http" in capsys.readouterr().err


def test_a_problem_that_is_refused_costs_no_other(evaluate, server, tmp_path, capsys):
    works = server.script
    server.script = lambda n, body: Answer(status=400) if number_of(body) == 0 else works(n, body)
    assert evaluate(server.url, "out", "--solver_concurrency", "1") == 2
    error = capsys.readouterr().err
    assert "no sample of 1 of 5 problems, first of p0: http_400" in error and "Traceback" not in error
    done = read_jsonl(tmp_path / "out" / "samples.partial.jsonl")
    assert {(s["problem_id"], s["sample"]) for s in done} == {(f"p{i}", k) for i in range(1, 5) for k in range(4)}
    assert server.most_at_once == 1


def test_a_server_that_is_not_there_is_one_message(evaluate, capsys, caplog, monkeypatch):
    async def at_once(seconds):
        """No waiting between attempts to connect."""

    defaults = ServerClient.__init__.__kwdefaults__
    monkeypatch.setattr(ServerClient.__init__, "__kwdefaults__", {**defaults, "sleep": at_once})
    assert evaluate("http://127.0.0.1:1/v1", "out") == 2
    error = capsys.readouterr().err
    assert "cannot reach the solver at http://127.0.0.1:1/v1" in error and "Traceback" not in error
    gc.collect()  # a task whose exception nobody took speaks when it is collected
    assert "never retrieved" not in caplog.text
