"""The caller's side: programs one after the other, each in a process of its own that cannot tell what it is wanted for.

    >>> with Sandbox(timeout_s=1.0, memory_limit_mb=512) as sandbox:
    ...     sandbox.run(TestJob("def f(x):\\n    return x / 0", "assert f(1) == 1", provided=("f",)))[:4]
    ...     sandbox.run(RunJob("print(int(input()) + 1)", stdin="41")).stdout
    (<Outcome.ERROR: 'error'>, 'ZeroDivisionError', 'division by zero', 2)
    '42\\n'

Where the system gives no user namespaces the same is tried with what it does give; a warning says what is missing.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from stepalign.core.errors import ConfigError
from stepalign.core.rollout import Outcome
from stepalign.execution.confine import Fences
from stepalign.execution.process import LineProcess

log = logging.getLogger(__name__)

WITH_NAMESPACES = (True, False) if sys.platform == "linux" else (False,)  # tried in this order
START_LIMIT_S = 120.0
MAX_JOBS = 5000  # a server is replaced after so many: what libraries keep for tests grows
GRACE_S = 5.0  # for what the tests themselves do; the judge keeps the program's time
END_LIMIT_S = 5.0
_said: set[str] = set()


@dataclass(frozen=True)
class TestJob:
    """A program and the tests that call its functions.

    Attributes:
        code: the program's source.
        test: the tests' source: assertions, or `check(candidate)`.
        setup: what stands before the tests, such as their imports.
        prompt: the problem's text; where it is Python, what it defines is known to the tests.
        preamble: Python that the program starts with, from the prompt.
        entry_point: the function that is the `candidate`.
        provided: the names that the program must define, `entry_point` among them.
        uses_own_helpers: whether names that the prompt defines, too, are the program's.
    """

    __test__ = False  # pytest collects classes of this name

    code: str
    test: str
    setup: str = ""
    prompt: str = ""
    preamble: str = ""
    entry_point: str | None = None
    provided: tuple[str, ...] = ()
    uses_own_helpers: bool = False


@dataclass(frozen=True)
class RunJob:
    """A whole program and its input."""

    code: str
    stdin: str


class Report(NamedTuple):
    """What became of a program; `stdout` of a whole one, for the caller to judge. `line` is of `code`, from 1."""

    outcome: Outcome
    type: str = ""
    message: str = ""
    line: int | None = None
    test: str | None = None
    stdout: str | None = None


BROKE_OFF = Report(Outcome.ERROR, "Exit", "the tests broke off")


class Sandbox(LineProcess):
    """A process that runs programs; started when first needed, for one caller at a time.

    Args:
        timeout_s: seconds that one program may take, with all its tests.
        memory_limit_mb: address space of one program.
    """

    def __init__(self, timeout_s: float, memory_limit_mb: int) -> None:
        super().__init__()
        self.timeout_s = timeout_s
        self.memory_limit_mb = memory_limit_mb
        self.fences: Fences | None = None
        self._in_namespaces = True
        self._num_jobs = 0

    def run(self, job: TestJob | RunJob) -> Report:
        """What becomes of a program; whatever it does, there is a report.

        Raises:
            ConfigError: no program can be started at all.
        """
        process = self._running() or self._start()
        limit_s, start = self.timeout_s + GRACE_S, time.monotonic()
        reply = self._exchange(process, json.dumps(asdict(job)), limit_s)
        is_late = reply is None and time.monotonic() - start >= limit_s
        report = Report(Outcome.TIMEOUT) if is_late else _report(reply or "")
        self._num_jobs += 1
        if reply is None or report == BROKE_OFF or self._num_jobs >= MAX_JOBS:
            self._kill()
        return report

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _start(self) -> subprocess.Popen[str]:
        troubles: list[str] = []
        for in_namespaces in WITH_NAMESPACES:
            self._in_namespaces = in_namespaces
            process = self._started()
            line = self._exchange(process, None, START_LIMIT_S)
            said: dict[str, Any] = json.loads(line) if line else {"failed": "it did not start"}
            if "fences" in said:
                self.fences, self._num_jobs = Fences(**said["fences"]), 0
                _warn(self.fences, troubles)
                return process
            troubles.append(str(said["failed"]))
            self._kill()
        raise ConfigError(
            f"programs cannot be run: {'; '.join(troubles)}. They run in a process of Python, {sys.executable}."
        )

    def _spawn(self) -> subprocess.Popen[str]:
        limits = {"timeout_s": self.timeout_s, "memory_limit_mb": self.memory_limit_mb}
        main = "from stepalign.execution.server import main; main()"
        return subprocess.Popen(
            [sys.executable, "-P", "-c", main, json.dumps(limits | {"namespaces": self._in_namespaces})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="ascii",
            env={
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "PYTHONHASHSEED": "0",  # the same order of a set every time
                "MALLOC_ARENA_MAX": "2",  # a thread's arena would count as memory
                "PYTHONDONTWRITEBYTECODE": "1",
                "OMP_NUM_THREADS": "1",
            },
            start_new_session=True,  # Ctrl-C is for the parent, which then closes this
        )

    def _end(self, process: subprocess.Popen[str]) -> None:
        """End it with all that it started."""
        with suppress(subprocess.TimeoutExpired):
            if self._in_namespaces:
                process.terminate()  # it ends the namespace, and then itself
                process.wait(END_LIMIT_S)
                return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _report(reply: str) -> Report:
    try:
        verdict: dict[str, Any] = json.loads(reply)
        return Report(**verdict)._replace(outcome=Outcome(verdict["outcome"]))
    except (ValueError, TypeError, KeyError):  # the server is gone, perhaps in the middle of a line
        return BROKE_OFF


def _warn(fences: Fences, troubles: list[str]) -> None:
    """Say, once, what programs are not held back from."""
    if fences.missing:
        message = f"programs that are graded are not held back from {', '.join(fences.missing)}: {'; '.join(troubles)}"
        if message not in _said:
            _said.add(message)
            log.warning("%s.", message)
