"""A process that compares answers one pair at a time, under a memory limit, and is killed and replaced when it must be.

It is a fresh interpreter with the grader's imports and nothing else: no torch, and the caller's script is not imported
a second time. Requests and replies are lines of JSON on its standard input and output. It ends when its input does;
should the parent be killed while it computes, its own alarm ends it.

    >>> worker = Worker(timeout_s=5.0, memory_limit_mb=1024)
    >>> worker.compare(r"\\frac{1}{2}", "2^{-1}")        # starts the process
    <Outcome.CORRECT: 'correct'>
    >>> worker.close()
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from stepalign.core.errors import ConfigError
from stepalign.core.rollout import Outcome
from stepalign.execution.process import LineProcess

START_LIMIT_S = 120.0  # a cold disk reads sympy slowly
MAX_COMPARISONS = 5000  # a process is replaced after this many: what libraries cache grows
ROOM_BYTES = 48 << 20  # a process that could not take this much more would run out in an ordinary comparison


class Worker(LineProcess):
    """The parent's side."""

    def __init__(self, timeout_s: float, memory_limit_mb: int) -> None:
        super().__init__()
        self.timeout_s = timeout_s
        self.memory_limit_mb = memory_limit_mb
        self._comparisons = 0

    def compare(self, gold: str, answer: str) -> Outcome:
        """The worker's verdict; a timeout if it did not finish within its time or memory, or crashed.

        Raises:
            ConfigError: the process does not even start within the memory limit.
        """
        process = self._running() or self._start()
        reply = self._exchange(process, json.dumps([gold, answer]), self.timeout_s)
        self._comparisons += 1
        if reply is None or self._comparisons >= MAX_COMPARISONS:
            self._kill()
        return Outcome(reply) if reply else Outcome.TIMEOUT

    def _start(self) -> subprocess.Popen[str]:
        process, self._comparisons = self._started(), 0
        if self._exchange(process, None, START_LIMIT_S) != "ready":
            self._kill()
            raise ConfigError(
                f"the grading worker did not start within {self.memory_limit_mb} MB and {START_LIMIT_S:.0f} s; "
                "it needs about 100 MB. Raise memory_limit_mb."
            )
        return process

    def _spawn(self) -> subprocess.Popen[str]:
        serve = "import sys; from stepalign.grading.worker import serve; serve(float(sys.argv[1]), int(sys.argv[2]))"
        return subprocess.Popen(
            [sys.executable, "-P", "-c", serve, str(self.timeout_s), str(self.memory_limit_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="ascii",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # Ctrl-C is for the parent, which then closes this
        )


def serve(timeout_s: float, memory_limit_mb: int) -> None:
    """The process's side: answer `[gold, answer]` with an outcome, a line each, until the input ends."""
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a library prints is no reply
    _limit_memory(memory_limit_mb)
    try:
        from stepalign.grading.math import compare

        compare(r"\frac{1}{2}", "x + 2^{-1}")  # builds the parser's tables, so that no answer's time is spent on them
        bytearray(ROOM_BYTES)
        print("ready", file=replies, flush=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        for line in iter(sys.stdin.readline, ""):
            _alarm(timeout_s + 1)
            outcome = compare(*json.loads(line))
            _alarm(0)
            print(outcome.value, file=replies, flush=True)
    except MemoryError:
        os._exit(1)  # to unwind would need memory


def _limit_memory(megabytes: int) -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    except (ImportError, ValueError, OSError):  # Windows has no limits, macOS none on memory
        pass


def _alarm(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the kernel ends the process; no Python code need run
        signal.setitimer(signal.ITIMER_REAL, seconds)
