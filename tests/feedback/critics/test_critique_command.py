"""The real command against a scripted server: its files, killed and run again, two at once."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fault_server import Answer, FaultServer, edit

from stepalign.core.files import read_jsonl
from stepalign.core.rollout import Rollout

from .conftest import many

RUN = [sys.executable, "-c", "from stepalign.cli import main; raise SystemExit(main())"]
FIXED = Answer(edit("D", 1, ["5 * 4 = 20"], "20"))
LEDGER = {
    "num_samples", "num_requests", "num_cached", "num_retries", "num_verified", "num_rejected", "tokens_in",
    "tokens_out", "wall_s",
}  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write(tmp_path, many(24))
    return tmp_path


def write(directory: Path, rollouts: list[Rollout]) -> None:
    problems = {rollout.problem.id: rollout.problem.to_json() for rollout in rollouts}
    for name, rows in (("P", problems.values()), ("S", [rollout.to_json() for rollout in rollouts])):
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def command(data: Path, url: str, out: str = "out", **options: str) -> list[str]:
    flags = {
        "problems": data / "P.jsonl",
        "samples": data / "S.jsonl",
        "critic_base_url": url,
        "critic_model": "m",
        "critique_protocol": "edit",
        "critic_concurrency": 4,
        "output_dir": data / out,
        **options,
    }
    return [*RUN, "critique", *(str(part) for name, value in flags.items() for part in (f"--{name}", value))]


def run(argv: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, env={**os.environ, **variables})


def ledger(directory: Path) -> dict:
    return json.loads((directory / "ledger.json").read_text())


def test_its_files(data):
    with FaultServer(lambda number, body: Answer("no") if "Problem 3:" in str(body) else FIXED) as server:
        done = run(command(data, server.url))
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (data / "out" / "critiques.jsonl").read_text().splitlines()]
    assert [row["problem_id"] for row in rows] == [f"p{i}" for i in range(24)]
    assert set(rows[0]) == {
        "problem_id", "sample", "status", "case", "first_wrong_step", "steps", "answer", "reply", "text"
    }  # fmt: skip
    assert rows[0]["reply"] == FIXED.content  # as it came, also where all is well
    assert rows[3] == {
        "problem_id": "p3", "sample": 0, "status": "skipped", "reason": "not_json", "reply": "no", "case": None,
        "first_wrong_step": None, "steps": [], "answer": None, "text": None,
    }  # fmt: skip
    totals = ledger(data / "out")
    assert set(totals) >= LEDGER
    assert (totals["num_samples"], totals["num_requests"], totals["num_verified"]) == (24, 26, 23)
    assert "23 of 24 verified" in done.stdout and "stepalign report " in done.stdout.splitlines()[-1]
    samples, problems = (read_jsonl(data / "out" / f"{name}.used.jsonl") for name in ("samples", "problems"))
    assert [row["problem_id"] for row in samples] == [row["id"] for row in problems] == [f"p{i}" for i in range(24)]
    assert "came through unchanged: 23 of 23 (100.0%)" in done.stdout


@pytest.mark.parametrize("last", [0, 12, 23])
def test_killed_in_the_middle_it_goes_on_where_it_was(last, data, monkeypatch):
    def reply(body):
        """Another one for each problem, so that replies in each other's place would show."""
        number = re.search(r"Problem (\d+):", body["messages"][-1]["content"])[1]
        return Answer(edit("D", 1, [f"5 * 4 = 20 as in problem {number}"], "20"))

    with FaultServer(lambda number, body: reply(body)) as server:
        monkeypatch.setenv("STEPALIGN_CACHE", str(data / "other"))
        assert run(command(data, server.url, "undisturbed")).returncode == 0
        num_undisturbed = len(server.requests)

    def script(number, body):
        if number == last:
            process.send_signal(signal.SIGKILL)
        return reply(body)

    monkeypatch.setenv("STEPALIGN_CACHE", str(data / "cache"))
    with FaultServer(script) as server:
        process = subprocess.Popen(command(data, server.url), stderr=subprocess.DEVNULL)
        assert process.wait() == -signal.SIGKILL
        assert len(server.requests) > last
        assert not (data / "out" / "ledger.json").exists()
        server.script = lambda number, body: reply(body)
        assert run(command(data, server.url)).returncode == 0
        assert num_undisturbed == 24
        assert len(server.requests) <= num_undisturbed + 4  # the pool's width
    same = (data / "undisturbed" / "critiques.jsonl").read_bytes()
    assert (data / "out" / "critiques.jsonl").read_bytes() == same and same.count(b"as in problem") == 3 * 24
    totals = ledger(data / "out")
    assert totals["num_requests"] + totals["num_cached"] == totals["num_samples"] == totals["num_verified"] == 24
    assert totals["num_cached"] >= last - 3  # those before it, less what was still under way


def test_two_at_once_on_one_cache(data):
    with FaultServer(lambda number, body: FIXED) as server:
        both = [
            subprocess.Popen(command(data, server.url, out), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            for out in ("one", "two")
        ]
        assert [process.wait() for process in both] == [0, 0]
    one, two = ((data / out / "critiques.jsonl").read_bytes() for out in ("one", "two"))
    assert one == two
    for out in ("one", "two"):
        totals = ledger(data / out)
        assert totals["num_requests"] + totals["num_cached"] == totals["num_verified"] == 24


def test_a_stop_writes_both_files_and_says_how_to_go_on(data):
    with FaultServer(lambda number, body: Answer(status=401)) as server:
        done = run(command(data, server.url))
        assert done.returncode == 2 and "Traceback" not in done.stderr
        assert "answered 401" in done.stderr and "STEPALIGN_CRITIC_API_KEY" in done.stderr
        assert f"stepalign critique --problems {data / 'P.jsonl'}" in done.stderr
        totals = ledger(data / "out")
        assert totals["num_samples"] == sum(totals["num_rejected"].values()) == 24
        server.script = lambda number, body: FIXED
        assert run(command(data, server.url)).returncode == 0
    assert ledger(data / "out")["num_verified"] == 24


def test_without_any_verified_critique_it_fails_with_the_servers_words(data):
    body = b'{"error": {"message": "This response_format type is unavailable now"}}'
    with FaultServer(lambda number, request: Answer(status=400, body=body)) as server:
        rollouts = many(5)
        write(data, rollouts)
        done = run(command(data, server.url))
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "none of 5 critiques is verified: http_400 (This response_format type is unavailable now." in done.stderr
    assert "critic_response_format" in done.stderr and "not verified, http_400: 5 (This response" in done.stdout
    assert ledger(data / "out")["said"]["http_400"].startswith("This response_format")


def test_a_server_that_is_not_there_is_told_before_samples_are_read(data):
    (data / "S.jsonl").write_text("no JSON")
    done = run(command(data, "http://127.0.0.1:1/v1"))
    assert done.returncode == 2 and "cannot reach the critic at http://127.0.0.1:1/v1" in done.stderr
    assert not (data / "out").exists()


def test_a_damaged_cache_is_said_and_set_aside(data):
    (data / "cache").mkdir()
    (data / "cache" / "critic.sqlite").write_text("no database")
    with FaultServer(lambda number, body: FIXED) as server:
        done = run(command(data, server.url))
    assert done.returncode == 0 and "is damaged" in done.stderr
    assert list((data / "cache").glob("*.damaged-*"))


def test_output_that_cannot_be_written_is_a_clear_message(data):
    (data / "out").write_text("a file where the directory should be")
    with FaultServer(lambda number, body: FIXED) as server:
        done = run(command(data, server.url))
    assert done.returncode == 2 and "cannot write to" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_no_room_for_the_cache_stops_the_run_and_says_so(data):
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); "
    with FaultServer(lambda number, body: FIXED) as server:
        argv = command(data, server.url)
        done = run([sys.executable, "-c", full + RUN[2], *argv[3:]])
        assert done.returncode == 2 and "Traceback" not in done.stderr
        assert f"{data / 'cache' / 'critic.sqlite'} cannot be used" in done.stderr and "Make room" in done.stderr
        totals = ledger(data / "out")
        assert totals["num_verified"] + sum(totals["num_rejected"].values()) == totals["num_samples"] == 24
        assert 0 < totals["num_verified"] < 24
        assert run(argv).returncode == 0
    assert ledger(data / "out")["num_verified"] == 24


def test_offline_after_a_run(data):
    with FaultServer(lambda number, body: FIXED) as server:
        run(command(data, server.url))
    again = run([*command(data, server.url, "again"), "--critic_offline"])
    assert again.returncode == 0 and ledger(data / "again")["num_cached"] == 24
    shown = run([*RUN, "cache"])
    assert "24 replies" in shown.stdout and server.url in shown.stdout
    assert "24 replies removed" in run([*RUN, "cache", "prune", "--model", "m"]).stdout
    assert run([*RUN, "cache", "prune"]).returncode == 2


def test_help_needs_no_critic():
    done = run([*RUN, "critique", "--help"])
    assert done.returncode == 0 and "--critic_token_budget" in done.stdout
