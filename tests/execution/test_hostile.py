"""None passes wrongly, none harms, none is lost."""

import re
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.execution.hostile import CHEATS, HARMS

from stepalign.core.rollout import Outcome
from stepalign.execution.sandbox import Sandbox, TestJob

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems hold nothing back")
LIMITS = '"timeout_s": 1.0001'  # in the command line of whatever is forked here
AT_REST = {True: 3, False: 2}  # below a server: process 1 of its namespace, if it has one, the judge, the next program
HONEST = "def add(a, b): return a + b"
HARMLESS = {  # what is tried fails, or hurts nobody, and the sum is right
    *("threads", "write where others are", "delete everything", "escape by mounting", "ptrace"),
    *("lower another's limits", "fork by the C library", "kill by number"),
}


@pytest.fixture(scope="module", params=[True, False], ids=["namespaces", "landlock"])
def sandbox(request):
    """A sandbox, with namespaces and as where the system gives none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_OF_THE_PARENT", "secret")
        if not request.param:
            patch.setattr("stepalign.execution.sandbox.WITH_NAMESPACES", (False,))
        with Sandbox(timeout_s=1.0001, memory_limit_mb=192) as sandbox:
            sandbox.run(job(HONEST))
            fences = sandbox.fences
            if fences.missing or fences.namespaces is not request.param:
                pytest.skip("this system does not give it")
            yield sandbox
    assert wait_for(lambda: not our_processes()), "survivors"


@pytest.fixture(scope="module")
def port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def job(code):
    test = "def check(candidate):\n    assert candidate(2, 2) == 4\n"
    return TestJob(code, test, entry_point="add", provided=("add",))


def run(sandbox, name, port=0):
    """What becomes of a program, and whether all is as before afterwards."""
    code = re.sub(r"\bPORT\b", str(port), {**CHEATS, **HARMS}[name])
    code = code.replace("HERE", repr(__file__)).replace("HOME", repr(str(Path.home())))
    server = sandbox.pid
    report = sandbox.run(job(code))
    assert sandbox.run(job(HONEST)).outcome is Outcome.CORRECT
    assert sandbox.pid == server, "the server did not survive"
    at_rest = AT_REST[sandbox.fences.namespaces]
    assert wait_for(lambda: num_descendants(server) == at_rest), psutil.Process(server).children(recursive=True)
    return report


def num_descendants(pid):
    """Processes below one; also those that left their parent, which stay below process 1 of the namespace."""
    return len(psutil.Process(pid).children(recursive=True))


def our_processes():
    return [p.pid for p in psutil.process_iter() if LIMITS in "".join(command_line(p))]


def command_line(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def wait_for(condition, seconds=5.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
    return False


@pytest.mark.parametrize("name", CHEATS)
def test_no_cheat_passes(sandbox, name):
    report = run(sandbox, name)
    assert report.outcome in (Outcome.WRONG, Outcome.ERROR)
    assert report.type and report.message is not None


@pytest.mark.parametrize("name", HARMS)
def test_no_harm_is_done(sandbox, port, name):
    report = run(sandbox, name, port)
    assert report.outcome is Outcome.CORRECT if name in HARMLESS else report.outcome is not Outcome.CORRECT, report
    assert psutil.Process().status() != psutil.STATUS_STOPPED


@pytest.mark.parametrize("name", ["memory", "memory at once"])
def test_too_much_memory_is_said_to_be(sandbox, name):
    assert run(sandbox, name).outcome is Outcome.MEMORY


@pytest.mark.parametrize("name", ["loop in C", "one long operation", "endless sleep", "ignore signals"])
def test_what_never_ends_is_a_timeout(sandbox, name):
    assert run(sandbox, name).outcome is Outcome.TIMEOUT


def test_the_parent_keeps_its_memory(sandbox):
    before = psutil.Process().memory_info().rss
    for _ in range(3):
        for name in ("a huge result", "gigabytes of output", "memory", "endless message"):
            run(sandbox, name)
    assert psutil.Process().memory_info().rss < before + (32 << 20)


def test_nothing_is_left_for_the_next_program(sandbox):
    sandbox.run(job("open('left', 'w').close()\ndef add(a, b): return 0"))
    report = sandbox.run(job("import os\nleft = os.listdir()\ndef add(a, b): return left"))
    assert report.message == "expected 4, got []" or report.type == "PermissionError"
