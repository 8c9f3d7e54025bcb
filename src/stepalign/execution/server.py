"""The process that programs are forked from: warm, alone in its namespaces, and with no test ever in its memory.

A sandbox starts it once. It forks one judge, which reads the jobs, and for each job a program, which waits for the
judge's questions. It ends when the judge does, and the judge when there are no more jobs.

    python -P -c "from stepalign.execution.server import main; main()" '{"timeout_s": 5.0, ...}'
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
import tempfile
import time
from contextlib import suppress
from typing import Any, NoReturn

from stepalign.execution import landlock, namespaces, seccomp
from stepalign.execution.channel import Channel, pair
from stepalign.execution.confine import Fences, Limits, confine, limit_server
from stepalign.execution.judge import NEXT, STATUS, be_judge
from stepalign.execution.program import be_program

WARM = (
    *("bisect", "collections", "copy", "dataclasses", "datetime", "decimal", "fractions", "functools", "hashlib"),
    *("heapq", "itertools", "json", "math", "operator", "random", "re", "statistics", "string", "typing"),
)  # what programs import: read once, not once a program
STATUS_WAIT_S = 1.0  # for a program that has closed everything to end
MOST_FDS = 1 << 16


def main() -> None:
    """Serve until the input ends. The first line of the output says which fences are up, or why they cannot be."""
    settings: dict[str, Any] = json.loads(sys.argv[1])
    limits = Limits(settings["timeout_s"], settings["memory_limit_mb"])
    jobs, replies = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(nothing, fd)
    os.close(nothing)
    fences = Fences(settings["namespaces"], _has_seccomp(), not settings["namespaces"] and _has_landlock())
    if not fences.namespaces:
        with tempfile.TemporaryDirectory() as directory:
            os.chdir(directory)
            serve(jobs, replies, limits, fences)
        return

    def say_failed(error: OSError) -> None:
        _say(replies, {"failed": str(error)})

    try:
        sys.exit(namespaces.run_inside(lambda home: serve(jobs, replies, limits, fences, home), say_failed))
    except OSError as error:
        say_failed(error)


def serve(jobs: int, replies: int, limits: Limits, fences: Fences, home: int | None = None) -> None:
    """Fork the judge, and then whatever programs it asks for, until it is gone.

    Args:
        home: an open file of this process's namespace of processes, where it has one of its own.
    """
    _prepare()
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        _say(replies, {"fences": vars(fences)})
        be_judge(jobs, replies, theirs, limits)
    for fd in (jobs, replies, theirs.detach()):
        os.close(fd)
    limit_server(limits, fences)
    gc.collect()
    gc.freeze()  # a collection in a child would copy the pages of all of this
    pid = None
    while request := ours.recv(1):
        if request == NEXT:
            if pid is not None:
                _end(pid)
            if fences.namespaces:
                namespaces.renew_work_dir()
            pid, fds = _fork_program(limits, fences, home)
            socket.send_fds(ours, [NEXT], fds)
            for fd in fds:
                os.close(fd)
        elif request == STATUS and pid is not None:
            status = _status_soon(pid)
            pid = pid if status is None else None
            ours.sendall(json.dumps(status).encode("ascii"))
    if pid is not None:
        _end(pid)


def _fork_program(limits: Limits, fences: Fences, home: int | None) -> tuple[int, list[int]]:
    """A program that waits; its id, and our ends of its channel, its input and its output."""
    ours, theirs = pair()
    their_in, our_in = os.pipe()
    our_out, their_out = os.pipe()
    pid = os.fork() if home is None else namespaces.fork_inside(home)
    if pid == 0:
        _be_program(their_in, their_out, theirs, limits, fences)
    for fd in (their_in, their_out, theirs.end.detach()):
        os.close(fd)
    return pid, [ours.end.detach(), our_in, our_out]


def _be_program(stdin: int, stdout: int, channel: Channel, limits: Limits, fences: Fences) -> NoReturn:
    try:
        os.setsid()
        for fd, place in ((stdin, 0), (stdout, 1), (channel.end.detach(), 3)):
            os.dup2(fd, place)
        os.closerange(4, MOST_FDS)
        channel = Channel(socket.socket(fileno=3))
        confine(limits, fences)
        be_program(channel)
    finally:
        os._exit(1)


def _end(pid: int) -> None:
    """Kill a program, and with it, where it has a namespace of its own, all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _status_soon(pid: int) -> list[float] | None:
    """How a program ended that has closed everything: its exit code, and the seconds of the processor that it took.

    Returns:
        None where it goes on all the same.
    """
    until = time.monotonic() + STATUS_WAIT_S
    while time.monotonic() < until:
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            return [os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime]
        time.sleep(0.002)
    return None


def _prepare() -> None:
    """Read what programs import, and leave nothing of the parent's in reach."""
    for name in WARM:
        importlib.import_module(name)
    sys.path[:] = namespaces.python_paths()
    sys.argv[:] = [""]
    os.environ.clear()
    os.environ.update({"HOME": os.getcwd(), "TMPDIR": os.getcwd(), "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"})
    tempfile.tempdir = None


def _has_seccomp() -> bool:
    return sys.platform == "linux" and seccomp.is_available()


def _has_landlock() -> bool:
    return sys.platform == "linux" and landlock.is_available()


def _say(replies: int, message: object) -> None:
    os.write(replies, json.dumps(message).encode("ascii") + b"\n")
