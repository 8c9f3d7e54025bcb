"""`stepalign curate` on many rows: its memory, its time, and that a SIGKILL in the middle loses and repeats nothing.

    python benchmarks/curate.py --num_rows 100000

The rows are a parquet file of made-up problems, of which a few reach the solver: a scripted server in another process,
which answers at once. The command is killed after a third of the rows, then run again to its end. What must become of
each row is known, so every decision is checked. Printed are both runs' wall times, processor times and peak memory, and
the number of requests against the number of samples.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import pyarrow
import pyarrow.parquet

NUM_SAMPLES = 16
EVERY = 25  # one row in so many reaches the solver
WORDS = [f"word{i}" for i in range(3000)]
CONCURRENCY = 64


def text(i: int) -> str:
    """Sixty words of a problem's own."""
    own = random.Random(i)
    return f"Problem {i}: {' '.join(own.choices(WORDS, k=60))} what is {i} plus seven?"


def num_right(i: int) -> int:
    """Right samples of a problem that reaches the solver."""
    return i // EVERY % 11


def row(i: int) -> dict[str, Any]:
    problem, answer = text(i), str(i + 7)
    kind = i % EVERY
    if kind == 1:
        problem, answer = text(i - 1), str(i + 6)  # the row before, once more
    elif kind == 2:
        problem, answer = text(i - 2) + " Say it.", None if i // EVERY % 2 else str(i + 5)
    elif kind > 2:
        answer = "the proof goes by induction"
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
            rows = [row(i) for i in range(start, min(start + 5000, count))]
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))


def serve(connection: Connection) -> None:
    """The scripted solver: sample n of a problem is right where n is below `num_right`. Sends its port first."""
    num_requests = multiprocessing.Value("q", 0, lock=False)

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                if b"content-length: " not in head:
                    writer.write(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n")
                    continue
                body = json.loads(await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0])))
                num_requests.value += 1
                reply = sample(body)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(reply), reply))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(exchange, "127.0.0.1", 0, backlog=1024)
        connection.send(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(connection.recv)  # asked at the end
        connection.send(num_requests.value)

    asyncio.run(main())


def sample(body: dict[str, Any]) -> bytes:
    i = int(re.search(r"Problem (\d+)", body["messages"][-1]["content"]).group(1))  # type: ignore[union-attr]
    answer = i + 7 if body["seed"] < num_right(i) else i
    content = f"<step_1>{i} + 7 = {answer}</step_1>\n" * 20 + f"<answer>{answer}</answer>"
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 90, "completion_tokens": 300}
    return json.dumps({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}).encode()


def command(directory: Path, port: int) -> list[str]:
    settings = {
        "source": directory / "rows.parquet",
        "output_dir": directory / "out",
        "num_problems": 0,
        "num_validation": 3,
        "num_test": 3,
        "solver_base_url": f"http://127.0.0.1:{port}/v1",
        "solver_model": "m",
        "solver_cache": directory / "cache.sqlite",
        "solver_concurrency": CONCURRENCY,
        "num_samples": NUM_SAMPLES,
    }
    words = [str(word) for name, value in settings.items() for word in (f"--{name}", value)]
    return [sys.executable, "-m", "stepalign", "curate", *words]


def watch(argv: list[str], *, kill_when: Any = lambda: False) -> str:
    """Wall time, processor time and peak resident memory (MB, with its children) of a command, in words.

    It is killed once `kill_when` says so.
    """
    start, before, peak = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN), 0
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in ticks(process):
        peak = max(peak, resident_mb(process.pid))
        if kill_when():
            process.send_signal(signal.SIGKILL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{time.monotonic() - start:.0f} s, {cpu_s:.0f} s of them on a processor, at most {peak} MB resident"


def ticks(process: subprocess.Popen[bytes]) -> Iterator[None]:
    while process.poll() is None:
        yield
        time.sleep(0.2)


def resident_mb(pid: int) -> int:
    try:
        parent = psutil.Process(pid)
        return sum(p.memory_info().rss for p in [parent, *parent.children(recursive=True)]) >> 20
    except psutil.Error:
        return 0


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
    """Assert that every row met its fate once and that the funnel adds up; the number of problems kept."""
    query = "SELECT position, stage FROM rows ORDER BY position"
    rows = sqlite3.connect(directory / "out" / "curation.sqlite").execute(query).fetchall()
    assert rows == [(i, fate(i)) for i in range(count)], "a row was lost, repeated, or met another fate"
    funnel = json.loads((directory / "out" / "funnel.json").read_text())
    assert all(a["num_out"] == b["num_in"] for a, b in pairwise(funnel["stages"]))
    assert funnel["stages"][0]["num_in"] == count and funnel["stages"][-1]["num_out"] == funnel["num_kept"]
    kept = [
        json.loads(line)["problem"]
        for split in ("train", "validation", "test")
        for line in (directory / "out" / f"{split}.jsonl").read_text().splitlines()
    ]
    assert sorted(kept) == sorted(text(i) for i in range(count) if not fate(i))
    return len(kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num_rows", type=int, default=100_000)
    args = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    port = ours.recv()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write_rows(directory / "rows.parquet", args.num_rows)
        os.environ["STEPALIGN_CACHE"] = name
        argv = command(directory, port)
        first = watch(argv, kill_when=lambda: num_decided(directory) > args.num_rows // 3)
        killed_at = num_decided(directory)
        second = watch(argv)
        num_kept = check(directory, args.num_rows)
    ours.send("how many")
    num_requests = ours.recv()
    server.join()
    num_samples = NUM_SAMPLES * sum(fate(i) in ("", "solve_rate") for i in range(args.num_rows))
    assert num_samples <= num_requests <= num_samples + CONCURRENCY, (num_samples, num_requests)
    print(f"{args.num_rows} rows, {num_samples} samples, {num_kept} problems kept; every row decided once")
    print(f"killed after {killed_at} rows: {first}")
    print(f"run again to the end: {second}")
    print(f"{num_requests} requests for {num_samples} samples: {num_requests - num_samples} asked twice")


if __name__ == "__main__":
    main()
