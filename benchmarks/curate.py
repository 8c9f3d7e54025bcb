"""`stepalign curate` on many rows: its memory, its time, and that a SIGKILL in the middle loses and repeats nothing.

The rows are a parquet file of made-up problems, of which a few reach the solver: a scripted server, which answers at
once. The command is killed after a third of the rows, then run again to its end. What must become of each row is known,
so every decision is checked. Time and memory are beside those of a tenth of the rows; a request is lost where a sample
was under way when the command was killed.

    python -m benchmarks --only curate
"""

from __future__ import annotations

import json
import random
import re
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
from tests.fault_server import Answer, FaultServer

from benchmarks.rows import Row, Values, row
from benchmarks.runner import Measurement, MeasurementError, Settings, measure_command, show

PRELOAD = ()
NUM_SAMPLES = 16
EVERY = 25  # one row in so many reaches the solver
WORDS = [f"word{i}" for i in range(3000)]
CONCURRENCY = 64


def run_case(name: str, settings: Settings) -> list[Row]:
    """Time, memory and requests of one curation; it is run once, whatever `settings.runs` says."""
    num_rows = 1000 if settings.quick else 100_000
    with FaultServer(sample) as server, tempfile.TemporaryDirectory() as directory:
        (small,) = curate(Path(directory) / "tenth", num_rows // 10, server.url, settings)
        num_before = len(server.requests)
        runs = curate(Path(directory) / "all", num_rows, server.url, settings, kill_at=num_rows // 3)
        num_requests = len(server.requests) - num_before
    num_samples = NUM_SAMPLES * sum(fate(i) in ("", "solve_rate") for i in range(num_rows))
    if num_requests < num_samples:
        raise MeasurementError(f"{num_requests} requests for {num_samples} samples.")
    label, tenth = f"{num_rows:,} rows, killed and run again", f"{num_rows // 10:,} rows"
    times, peaks = [sum(run.time_s for run in runs)], [float(max(run.peak_bytes for run in runs))]
    most = (num_samples + CONCURRENCY) / num_samples
    return [
        row(name, "time", Values(label, times), Values(f"{tenth}, x 10", [10 * small.time_s])),
        row(name, "peak_memory", Values(label, peaks), Values(tenth, [float(small.peak_bytes)])),
        row(name, "requests", Values(label, [num_requests]), Values("samples", [num_samples]), bound=most),
    ]


def curate(
    directory: Path, num_rows: int, url: str, settings: Settings, kill_at: int | None = None
) -> list[Measurement]:
    """The command to its end, and what each row became checked; killed once, first, after `kill_at` rows."""
    directory.mkdir()
    write_rows(directory / "rows.parquet", num_rows)
    argv, environment = command(directory, url), {"STEPALIGN_CACHE": str(directory)}
    runs: list[Measurement] = []
    if kill_at is not None:
        runs.append(
            measure_command(argv, settings, environment=environment, kill_when=lambda: num_decided(directory) > kill_at)
        )
        show(f"killed after {num_decided(directory):,} of {num_rows:,} rows")
    runs.append(measure_command(argv, settings, environment=environment))
    show(f"{check(directory, num_rows):,} of {num_rows:,} rows kept; every row decided once")
    return runs


def text(i: int) -> str:
    """Sixty words of a problem's own."""
    own = random.Random(i)
    return f"Problem {i}: {' '.join(own.choices(WORDS, k=60))} what is {i} plus seven?"


def num_right(i: int) -> int:
    """Right samples of a problem that reaches the solver."""
    return i // EVERY % 11


def made_row(i: int) -> dict[str, Any]:
    problem, answer = text(i), str(i + 7)
    kind = i % EVERY
    if kind == 1:
        problem, answer = text(i - 1), str(i + 6)  # the row before, once more
    elif kind == 2:
        problem, answer = text(i - 2) + " Say it.", None if i // EVERY % 2 else str(i + 5)
    elif kind > 2:
        answer = "the proof is complete by induction"
    return {"problem": problem, "answer": answer, "solution": f"Because of {problem} " * 4}


def fate(i: int) -> str:
    kind = i % EVERY
    if kind >= 3:
        return "usable_answer"
    if kind == 1:
        return "first_seen"
    if kind == 2:
        return "well_formed" if i // EVERY % 2 else "no_near_duplicate"
    return "" if 0 < num_right(i) < 5 else "solve_rate"


def write_rows(path: Path, count: int) -> None:
    schema = pyarrow.schema([(name, pyarrow.string()) for name in ("problem", "answer", "solution")])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, count, 5000):
            rows = [made_row(i) for i in range(start, min(start + 5000, count))]
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))


def sample(number: int, body: dict[str, Any]) -> Answer:
    """The scripted solver: sample n of a problem is right where n is below `num_right`."""
    i = int(re.search(r"Problem (\d+)", body["messages"][-1]["content"]).group(1))  # type: ignore[union-attr]
    answer = i + 7 if body["seed"] < num_right(i) else i
    content = f"<step_1>{i} + 7 = {answer}</step_1>\n" * 20 + f"<answer>{answer}</answer>"
    return Answer(content, usage={"prompt_tokens": 90, "completion_tokens": 300})


def command(directory: Path, url: str) -> list[str]:
    settings = {
        "source": directory / "rows.parquet",
        "output_dir": directory / "out",
        "num_problems": 0,
        "num_validation": 1,
        "num_test": 1,
        "solver_base_url": url,
        "solver_model": "m",
        "solver_cache": directory / "cache.sqlite",
        "solver_concurrency": CONCURRENCY,
        "num_samples": NUM_SAMPLES,
    }
    return ["curate", *(str(word) for name, value in settings.items() for word in (f"--{name}", value))]


def num_decided(directory: Path) -> int:
    path = directory / "out" / "curation.sqlite"
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return connection.execute("SELECT coalesce(max(position), -1) + 1 FROM rows").fetchone()[0]
    except sqlite3.Error:
        return 0


def check(directory: Path, count: int) -> int:
    """The number of problems kept.

    Raises:
        MeasurementError: a row did not meet its fate once, or the funnel does not add up.
    """
    query = "SELECT position, stage FROM rows ORDER BY position"
    rows = sqlite3.connect(directory / "out" / "curation.sqlite").execute(query).fetchall()
    stages = json.loads((directory / "out" / "funnel.json").read_text())["stages"]
    kept = [
        json.loads(line)["problem"]
        for split in ("train", "validation", "test")
        for line in (directory / "out" / f"{split}.jsonl").read_text().splitlines()
    ]
    if rows != [(i, fate(i)) for i in range(count)]:
        raise MeasurementError("a row was lost, repeated, or met another fate.")
    if sorted(kept) != sorted(text(i) for i in range(count) if not fate(i)):
        raise MeasurementError("other problems were kept than should be.")
    if [count, *(s["num_out"] for s in stages)] != [*(s["num_in"] for s in stages), len(kept)]:
        raise MeasurementError("the funnel does not add up.")
    return len(kept)
