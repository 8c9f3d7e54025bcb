"""How much `stepalign critique` adds to a server's own latency, in time and memory, and that nothing is paid for twice.

    python benchmarks/critique.py --num_samples 1000 --concurrency 64 --latency_s 0.05

A server in another process answers each request after a fixed latency. Printed are the wall time of the critiques
against the ideal (num_samples / concurrency x latency), the command's peak memory, and the requests of a second run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

COMMAND = """
import resource, sys
from stepalign.cli import main
code = main()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
sys.exit(code)
"""
CONTENT = json.dumps({"case": "D", "keep_steps": 2, "new_steps": ["so it is 6"], "answer": "6"})
BODY = json.dumps(
    {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": CONTENT}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 400, "completion_tokens": 40},
    }
).encode()


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


def write_samples(directory: Path, count: int) -> None:
    text = "<step_1>1 + 2 = 3</step_1>\n<step_2>3 + 2 = 5</step_2>\n<step_3>5 + 1 = 7</step_3>\n<answer>7</answer>"
    with (directory / "P.jsonl").open("w") as problems, (directory / "S.jsonl").open("w") as samples:
        for i in range(count):
            problems.write(json.dumps({"id": f"p{i}", "problem": f"Problem {i}: add these up.", "answer": "6"}) + "\n")
            samples.write(json.dumps({"problem_id": f"p{i}", "sample": 0, "text": text}) + "\n")


def critique(directory: Path, port: int, concurrency: int, out: str) -> tuple[dict, int]:
    """The ledger of one run of the command, and its peak memory in MB."""
    argv = [sys.executable, "-c", COMMAND, "critique"]
    argv += ["--problems", str(directory / "P.jsonl"), "--samples", str(directory / "S.jsonl")]
    argv += ["--critic_base_url", f"http://127.0.0.1:{port}/v1", "--critic_model", "m"]
    argv += ["--critic_concurrency", str(concurrency), "--output_dir", str(directory / out)]
    env = {**os.environ, "STEPALIGN_CACHE": str(directory)}
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, env=env)
    return json.loads((directory / out / "ledger.json").read_text()), int(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num_samples", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency_s", type=float, default=0.05)
    args = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(args.latency_s, theirs), daemon=True)
    server.start()
    port = ours.recv()
    ideal = args.num_samples / args.concurrency * args.latency_s
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write_samples(directory, args.num_samples)
        first, memory_mb = critique(directory, port, args.concurrency, "first")
        second, _ = critique(directory, port, args.concurrency, "second")
    server.terminate()
    assert first["num_verified"] == second["num_verified"] == args.num_samples
    print(f"wall {first['wall_s']:.2f} s, ideal {ideal:.2f} s: {first['wall_s'] / ideal:.2f} times; {memory_mb} MB")
    print(f"second run: {second['num_requests']} requests, wall {second['wall_s']:.2f} s")


if __name__ == "__main__":
    main()
