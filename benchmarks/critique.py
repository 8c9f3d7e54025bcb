"""How much `stepalign critique` adds to a server's own latency, in time and memory, and that nothing is paid for twice.

A server in another process answers each request after a fixed latency. The ideal is that latency alone:
num_samples / concurrency x latency. A second run takes all from the cache and must send no request. Peak memory is that
of the whole command, beside the same with a tenth of the samples.

    python -m benchmarks --only critique
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.rows import Row, Values, row
from benchmarks.runner import MeasurementError, Settings, show

PRELOAD = ()
BOUND = 1.5  # of the ideal: docs/decisions/0004
LATENCY_S = 0.05
CONCURRENCY = 64
COMMAND = """
import resource, sys
from stepalign.cli import main
code = main()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
sys.exit(code)
"""
CONTENT = json.dumps({"case": "D", "keep_steps": 2, "new_steps": ["so it is 6"], "answer": "6"})
BODY = json.dumps(
    {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": CONTENT}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 400, "completion_tokens": 40},
    }
).encode()


@dataclass(frozen=True)
class Critiqued:
    """One run of the command: wall time of the critiques, peak memory of the process, requests sent."""

    time_s: float
    peak_bytes: int
    num_requests: int


def run_case(name: str, settings: Settings) -> list[Row]:
    """Wall time against the ideal, the cached run against the first, and memory against a tenth of the samples."""
    num_samples = 200 if settings.quick else 1000
    first: list[Critiqued] = []
    second: list[Critiqued] = []
    small: list[Critiqued] = []
    with server(LATENCY_S) as port, tempfile.TemporaryDirectory() as directory:
        for i in range(settings.runs):
            some, all_of_them = (Path(directory) / f"{i}-{n}" for n in (num_samples // 10, num_samples))
            write_samples(some, num_samples // 10)
            write_samples(all_of_them, num_samples)
            small.append(critique(some, port, "first", num_samples // 10, settings))
            first.append(critique(all_of_them, port, "first", num_samples, settings))
            second.append(critique(all_of_them, port, "second", num_samples, settings))
            show(f"run {i + 1} of {settings.runs}: {first[-1].time_s:.2f} s, again {second[-1].time_s:.2f} s")
    ideal = num_samples / CONCURRENCY * LATENCY_S
    label = f"{num_samples:,} critiques at concurrency {CONCURRENCY}"
    times, peaks = [c.time_s for c in first], [float(c.peak_bytes) for c in first]
    again = {"num_requests": max(c.num_requests for c in second)}
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


def critique(directory: Path, port: int, out: str, num_samples: int, settings: Settings) -> Critiqued:
    """Run the command once.

    Raises:
        MeasurementError: it failed, or not every critique was verified.
    """
    argv = [sys.executable, "-c", COMMAND, "critique"]
    argv += ["--problems", str(directory / "P.jsonl"), "--samples", str(directory / "S.jsonl")]
    argv += ["--critic_base_url", f"http://127.0.0.1:{port}/v1", "--critic_model", "m"]
    argv += ["--critic_concurrency", str(CONCURRENCY), "--output_dir", str(directory / out)]
    env = {**os.environ, "STEPALIGN_CACHE": str(directory)}
    with settings.log.open("a") as log:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=log, text=True, env=env)
    if done.returncode:
        raise MeasurementError(f"stepalign critique ended with exit code {done.returncode}; see {settings.log}.")
    ledger = json.loads((directory / out / "ledger.json").read_text())
    if ledger["num_verified"] != num_samples:
        raise MeasurementError(f"{ledger['num_verified']} of {num_samples} critiques were verified.")
    return Critiqued(ledger["wall_s"], int(done.stdout.split()[-1]), ledger["num_requests"])


def write_samples(directory: Path, count: int) -> None:
    directory.mkdir()
    text = "<step_1>1 + 2 = 3</step_1>\n<step_2>3 + 2 = 5</step_2>\n<step_3>5 + 1 = 7</step_3>\n<answer>7</answer>"
    with (directory / "P.jsonl").open("w") as problems, (directory / "S.jsonl").open("w") as samples:
        for i in range(count):
            problems.write(json.dumps({"id": f"p{i}", "problem": f"Problem {i}: add these up.", "answer": "6"}) + "\n")
            samples.write(json.dumps({"problem_id": f"p{i}", "sample": 0, "text": text}) + "\n")


@contextmanager
def server(latency_s: float) -> Iterator[int]:
    """A server process; yields its port."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(latency_s, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def serve(latency_s: float, connection: Connection) -> None:
    """Answer every POST after `latency_s`; send the port first."""

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                if b"content-length: " in head:
                    await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
                    await asyncio.sleep(latency_s)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(exchange, "127.0.0.1", 0, backlog=1024)
        connection.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())
