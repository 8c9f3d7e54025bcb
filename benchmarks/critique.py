"""How much `stepalign critique` adds to a server's own latency, in time and memory, and that nothing is paid for twice.

A server outside of the command's process answers each request after a fixed latency. The ideal is that latency alone:
num_samples / concurrency x latency. A second run takes all from the cache and must send no request. Peak memory is that
of the whole command, beside the same with a tenth of the samples.

    python -m benchmarks --only critique
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.fault_server import Answer, FaultServer

from benchmarks.rows import Row, Values, row
from benchmarks.runner import Measurement, MeasurementError, Settings, measure_command, show

PRELOAD = ()
BOUND = 1.5  # of the ideal: docs/decisions/0004
LATENCY_S = 0.05
CONCURRENCY = 64
CONTENT = json.dumps({"case": "D", "keep_steps": 2, "new_steps": ["so it is 6"], "answer": "6"})
USAGE = {"prompt_tokens": 400, "completion_tokens": 40}


def run_case(name: str, settings: Settings) -> list[Row]:
    """Wall time against the ideal, the cached run against the first, and memory against a tenth of the samples."""
    num_samples = 200 if settings.quick else 1000
    first: list[Measurement] = []
    second: list[Measurement] = []
    small: list[Measurement] = []
    with scripted_server(LATENCY_S) as server, tempfile.TemporaryDirectory() as directory:
        for i in range(settings.runs):
            some, all_of_them = (Path(directory) / f"{i}-{n}" for n in (num_samples // 10, num_samples))
            write_samples(some, num_samples // 10)
            write_samples(all_of_them, num_samples)
            small.append(critique(some, server.url, "first", num_samples // 10, settings))
            first.append(critique(all_of_them, server.url, "first", num_samples, settings))
            second.append(critique(all_of_them, server.url, "second", num_samples, settings))
            show(f"run {i + 1} of {settings.runs}: {first[-1].time_s:.2f} s, again {second[-1].time_s:.2f} s")
    ideal = num_samples / CONCURRENCY * LATENCY_S
    label = f"{num_samples:,} critiques at concurrency {CONCURRENCY}"
    times, peaks = [c.time_s for c in first], [float(c.peak_bytes) for c in first]
    again = {"num_requests": max(c.facts["num_requests"] for c in second)}
    return [
        row(
            name,
            "time",
            Values(label, times),
            Values(f"latency of {LATENCY_S} s alone", [ideal]),
            bound=settings.bound(BOUND),
        ),
        row(name, "time", Values(f"{label}, cached", [c.time_s for c in second]), Values(label, times), **again),
        row(
            name,
            "peak_memory",
            Values(f"{label}, whole process", peaks),
            Values(f"{num_samples // 10:,} critiques, whole process", [float(c.peak_bytes) for c in small]),
        ),
    ]


def scripted_server(latency_s: float) -> FaultServer:
    """It answers every request after `latency_s`."""
    return FaultServer(lambda number, body: Answer(CONTENT, latency_s=latency_s, usage=USAGE))


def critique(directory: Path, url: str, out: str, num_samples: int, settings: Settings) -> Measurement:
    """Run the command once; its time is that of the critiques alone.

    Raises:
        MeasurementError: it failed, or not every critique was verified.
    """
    argv = ["critique", "--problems", str(directory / "P.jsonl"), "--samples", str(directory / "S.jsonl")]
    argv += ["--critic_base_url", url, "--critic_model", "m"]
    argv += ["--critic_concurrency", str(CONCURRENCY), "--output_dir", str(directory / out)]
    measured = measure_command(argv, settings, environment={"STEPALIGN_CACHE": str(directory)})
    ledger = json.loads((directory / out / "ledger.json").read_text())
    if ledger["num_verified"] != num_samples:
        raise MeasurementError(f"{ledger['num_verified']} of {num_samples} critiques were verified.")
    return replace(measured, time_s=ledger["wall_s"], facts={"num_requests": ledger["num_requests"]})


def write_samples(directory: Path, count: int) -> None:
    directory.mkdir()
    text = "<step_1>1 + 2 = 3</step_1>\n<step_2>3 + 2 = 5</step_2>\n<step_3>5 + 1 = 7</step_3>\n<answer>7</answer>"
    with (directory / "P.jsonl").open("w") as problems, (directory / "S.jsonl").open("w") as samples:
        for i in range(count):
            problems.write(json.dumps({"id": f"p{i}", "problem": f"Problem {i}: add these up.", "answer": "6"}) + "\n")
            samples.write(json.dumps({"problem_id": f"p{i}", "sample": 0, "text": text}) + "\n")
