"""The real command on 2,000 rows, killed (SIGKILL) in the middle and started again."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter

import pytest
from tests.fault_server import Answer

from stepalign.core.files import read_jsonl

from . import world

RUN = [sys.executable, "-c", "from stepalign.cli import main; raise SystemExit(main())", "curate"]
COUNT = 2000
CONCURRENCY = 16


def command(directory, url) -> list[str]:
    settings = world.settings(directory, url, num_samples=2, solver_concurrency=CONCURRENCY, correct_rate_below=0.9)
    words = []
    for name, value in settings.items():
        words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return [*RUN, *words]


def fate(i: int) -> str:
    """With samples 0 and 2: one right, one wrong is what is kept."""
    fate = world.fate(i, below=9.0)
    return "solve_rate" if not fate and world.num_right(i) not in (1, 2) else fate


@pytest.mark.slow
def test_killed_and_started_again_nothing_is_lost_or_repeated(tmp_path, server):
    world.write_source(tmp_path, COUNT)

    def sample(body):
        return Answer(world.solve({**body, "seed": body["seed"] * 2}))  # samples 0 and 2 of the world

    def script(number, body):
        if number == 700:
            process.send_signal(signal.SIGKILL)
        return sample(body)

    server.script = script
    environment = {**os.environ, "STEPALIGN_CACHE": str(tmp_path / "cache")}
    process = subprocess.Popen(command(tmp_path, server.url), stderr=subprocess.DEVNULL, env=environment)
    assert process.wait() == -signal.SIGKILL
    decided = sqlite3.connect(tmp_path / "out" / "curation.sqlite").execute("SELECT count(*) FROM rows").fetchone()[0]
    assert 0 < decided < COUNT  # it was in the middle
    server.script = lambda number, body: sample(body)
    done = subprocess.run(command(tmp_path, server.url), capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr

    rows = sqlite3.connect(tmp_path / "out" / "curation.sqlite").execute("SELECT position, stage FROM rows").fetchall()
    expected = {i: fate(i) for i in range(COUNT)}
    assert len(rows) == COUNT and dict(rows) == expected
    num_samples = 2 * sum(i % 20 not in world.DROPPED for i in range(COUNT))
    assert num_samples <= len(server.requests) <= num_samples + CONCURRENCY  # only what was under way is asked again
    funnel = json.loads((tmp_path / "out" / "funnel.json").read_text())
    world.check_adds_up(funnel)
    assert (funnel["num_rows"], funnel["num_kept"]) == (COUNT, Counter(expected.values())[""])
    kept = [row for name in ("train", "validation", "test") for row in read_jsonl(tmp_path / "out" / f"{name}.jsonl")]
    assert sorted(row["problem"] for row in kept) == sorted(world.text(i) for i in range(COUNT) if not expected[i])
    assert len({row["id"] for row in kept}) == len(kept) == funnel["num_kept"]
    assert f"{len(kept)} problems of {COUNT} rows" in done.stdout
