"""The judge's side: a process that has the tests, and asks the program, in another process, for values.

A test's `candidate` stands in for the function of the program: a call sends the arguments over and brings the result
back as a copy made of builtin types (`stepalign.execution.values`). All comparisons are made here, by Python's own
methods, in a process that runs nothing of the program. So nothing that the program prints, patches, overrides, or
leaves early counts as a passed test.

The judge lives on from job to job; the tests of each have a namespace of their own.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import time
from typing import Any, NamedTuple, NoReturn, cast

from stepalign.execution.channel import Channel
from stepalign.execution.confine import Limits, limit_judge
from stepalign.execution.program import OUT_OF_MEMORY
from stepalign.execution.remote import Stopped
from stepalign.execution.testing import run_tests
from stepalign.execution.verdicts import Verdict, failed, failure_of

MAX_OUTPUT_BYTES = 16 << 20
NEXT, STATUS = b"n", b"s"  # what is asked of the server: another program; how this one ended
TESTS_BROKE = failed("UnsupportedTest", "the tests broke off")


class Program(NamedTuple):
    """The other process: a channel to it, its input and its output, and the server, which knows how it ended."""

    channel: Channel
    stdin: int
    stdout: int
    server: socket.socket

    def close(self) -> None:
        """Let go of what is open."""
        self.channel.close()
        for fd in (self.stdin, self.stdout):
            os.close(fd)


def be_judge(jobs: int, replies: int, server: socket.socket, limits: Limits) -> NoReturn:
    """Answer jobs, a line of JSON each, with verdicts, until there are no more.

    Args:
        jobs: the file to read from.
        replies: the file to write to.
        server: sends the programs.
    """
    try:
        limit_judge(limits)
        with os.fdopen(jobs, "rb") as lines:
            program = _next_program(server)
            for line in iter(lines.readline, b""):
                _write(replies, json.dumps(_verdict(json.loads(line), program, limits)).encode("ascii") + b"\n")
                program.close()
                program = _next_program(server)
    finally:
        os._exit(0)


def _next_program(server: socket.socket) -> Program:
    server.sendall(NEXT)
    _, fds, _, _ = socket.recv_fds(server, 1, 3)
    return Program(Channel(socket.socket(fileno=fds[0])), fds[1], fds[2], server)


def _verdict(job: dict[str, Any], program: Program, limits: Limits) -> Verdict:
    program.channel.deadline = time.monotonic() + limits.timeout_s
    try:
        run = _run_whole if "stdin" in job else _run_tests
        return run(job, program, limits)
    except MemoryError:
        return failed("OutputLimit", "a result that takes too much memory")
    except Exception:
        return TESTS_BROKE


def _run_tests(job: dict[str, Any], program: Program, limits: Limits) -> Verdict:
    try:
        return run_tests(job, program.channel)
    except Stopped as stop:
        return (stop.verdict or _left(program, limits)) | stop.test


def _run_whole(job: dict[str, Any], program: Program, limits: Limits) -> Verdict:
    """Give the program its input; what it printed, and how it ended."""
    try:
        program.channel.send({"run": job["code"]})
        output = _feed(program, job["stdin"].encode("utf-8", "replace"))
        end = None if output is None else program.channel.receive()
    except TimeoutError:
        return {"outcome": "timeout"}
    except (OSError, ValueError, RecursionError):
        return _left(program, limits)
    if output is None:
        return failed("OutputLimit", f"more than {MAX_OUTPUT_BYTES >> 20} MB of output")
    if isinstance(end, dict) and "error" in end:
        return failure_of(cast("dict[str, object]", end)["error"])
    verdict = {"outcome": "correct"} if end is not None else _left(program, limits, may_exit=True)
    return verdict | ({"stdout": output.decode("utf-8", "replace")} if verdict["outcome"] == "correct" else {})


def _feed(program: Program, data: bytes) -> bytes | None:
    """Write to its input, and read its output to the end, which comes when it says that it has ended, or is gone.

    Returns:
        The output; None where it is too long.
    Raises:
        TimeoutError: the deadline has passed.
    """
    parts: list[bytes] = []
    os.set_blocking(program.stdin, False)
    with selectors.DefaultSelector() as selector:
        selector.register(program.stdin, selectors.EVENT_WRITE)
        selector.register(program.stdout, selectors.EVENT_READ)
        selector.register(program.channel.end, selectors.EVENT_READ)
        ended, size = False, 0
        while True:
            left = 0.0 if ended else cast("float", program.channel.deadline) - time.monotonic()
            ready = [cast("Any", key.fileobj) for key, _ in selector.select(max(left, 0.0))]
            if not ready and not ended:
                raise TimeoutError
            if program.stdin in ready:
                try:
                    data = data[os.write(program.stdin, data[:65536]) :] if data else data
                except OSError:  # it has closed its input
                    data = b""
                if not data:
                    selector.unregister(program.stdin)
                    os.dup2(program.stdout, program.stdin)  # closes it; the number stays taken
            if program.stdout in ready:
                part = os.read(program.stdout, 1 << 16)
                parts.append(part)
                size += len(part)
                if size > MAX_OUTPUT_BYTES:
                    return None
                if not part:
                    return b"".join(parts)
            elif ended:
                return b"".join(parts)
            if program.channel.end in ready:
                selector.unregister(program.channel.end)
                ended = True


def _left(program: Program, limits: Limits, may_exit: bool = False) -> Verdict:
    """The verdict where the program is gone without a word."""
    program.server.sendall(STATUS)
    status = json.loads(program.server.recv(1 << 10))
    if status is None:
        return failed("Exit", "it closed its channel")
    code, cpu_s = status
    if cpu_s >= limits.cpu_s - 0.1:
        return {"outcome": "timeout"}
    if code in (OUT_OF_MEMORY, -signal.SIGKILL):
        return {"outcome": "memory"}
    if code == 0 and may_exit:
        return {"outcome": "correct"}
    how = f"ended by {signal.Signals(-int(code)).name}" if code < 0 else f"left with exit code {code}"
    return failed("Exit", how if may_exit else f"{how} before the tests were done")


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
