import contextlib
import os
import subprocess
import sys
import time

import psutil
import pytest

from stepalign.core.errors import ConfigError
from stepalign.core.rollout import Outcome
from stepalign.execution.confine import Fences
from stepalign.execution.sandbox import Report, RunJob, Sandbox, TestJob, _warn


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(timeout_s=2.0, memory_limit_mb=512) as sandbox:
        yield sandbox


@pytest.fixture
def run(sandbox):
    def run(code, test, **job):
        return sandbox.run(TestJob(code, test, **{"provided": ("f",), **job}))

    return run


@pytest.mark.parametrize(
    "code, test",
    [
        ("def f(a, b=2): return a + b", "assert f(1) == 3\nassert f(1, b=5) == 6"),
        ("def f(a): a.append(1); a[0] = {2}", "x = [0]\nf(x)\nassert x == [{2}, 1]"),
        ("def f(d): d['a'] = 1", "d = {}\nf(d=d)\nassert d == {'a': 1}"),
        ("def f(n): yield from range(n)", "assert list(f(3)) == [0, 1, 2]\nassert next(f(3)) == 0"),
        ("def f(g): return [g(1), g(2)]", "assert f(lambda x: x * 10) == [10, 20]"),
        ("def f(a): return lambda b: a + b", "assert f(1)(2) == 3"),
        ("class P:\n    def __init__(self, x): self.x = x\ndef f(p): return p.x", "assert f(P(3)) == 3"),
        ("class f:\n    def __init__(self): self.n = None\n", "r = f()\nr.n = f()\nr.n.n = 5\nassert r.n.n == 5"),
        ("class f:\n    def go(self, a): return a[::-1]", "assert f().go([1, 2]) == [2, 1]"),
        (
            "def f(): raise ValueError('no')",
            "try:\n    f()\n    assert False\nexcept ValueError as e:\n    assert str(e) == 'no'",
        ),
        ("class E(KeyError): pass\ndef f(): raise E(1)", "try:\n    f()\n    assert False\nexcept KeyError:\n    pass"),
        ("import math\ndef f(x): return x / 3", "assert math.isclose(f(1), 0.333333333333)"),
        ("LIMIT = 7\ndef f(): return 7", "assert f() == LIMIT"),
        ("def f(): return 'x' * 3_000_000", "assert len(f()) == 3_000_000"),
        ("def f(): return object()", "assert f() is not None\nassert f()"),
        ("print('hello')\ndef f(): print('a'); return 1", "assert f() == 1"),
        ("import sys\ndef f(): return sys.stdin.read()", "assert f() == ''"),
        ("def f(): print('x' * 1_000_000); return 1", "assert f() == 1"),
        ("def f(x): return str(x)", "assert f(f(1)) == '1'"),
        ("from __future__ import annotations\ndef f(x: Unknown) -> int: return 1", "assert f(1) == 1"),
        (
            "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\ndef f(): return A(2).x",
            "assert f() == 2",
        ),
        ("def f(): return 1\nif __name__ == '__main__': raise SystemExit(1)", "assert f() == 1"),
        ("import tempfile\ndef f():\n    with tempfile.TemporaryFile() as t: return t.write(b'ab')", "assert f() == 2"),
    ],
)
def test_honest_programs_pass(run, code, test):
    assert run(code, test) == Report(Outcome.CORRECT)


@pytest.mark.parametrize(
    "code, test, report",
    [
        ("def f(): return 0", "assert f() == 4", ("wrong", "WrongAnswer", "expected 4, got 0", None)),
        ("def f(): return 0", "assert 4 == f()", ("wrong", "WrongAnswer", "expected 4, got 0", None)),
        ("def f(): return 0", "assert f() > 4, 'small'", ("wrong", "WrongAnswer", "small", None)),
        ("def f(): return None", "assert abs(f() - 4) < 1", ("wrong", "WrongAnswer", None, None)),
        (
            "def f():\n    x = 1\n    return x / 0",
            "assert f() == 4",
            ("error", "ZeroDivisionError", "division by zero", 3),
        ),
        ("def f():\n    return g()\ndef g():\n    assert 0, 'no'", "assert f()", ("error", "AssertionError", "no", 4)),
        ("x = 1\ndef f(:\n    pass", "assert f()", ("error", "SyntaxError", "invalid syntax", 2)),
        ("x = 1\ny = z", "assert f()", ("error", "NameError", "name 'z' is not defined", 2)),
        ("def g(): return 4", "assert f() == 4", ("error", "NameError", "name 'f' is not defined", None)),
        ("import json\ndef f():\n    return json.loads('{')", "assert f()", ("error", "JSONDecodeError", None, 3)),
        ("def f():\n    return f()", "assert f()", ("error", "RecursionError", None, 2)),
        ("def f(): return sorted", "assert f() == 4", ("wrong", "WrongAnswer", None, None)),
        (
            "def f(): yield 4",
            "assert f() == [4]",
            ("wrong", "WrongAnswer", "expected [4], got <generator of the program>", None),
        ),
    ],
)
def test_failures_say_what_and_where(run, code, test, report):
    outcome, kind, message, line = report
    found = run(code, test)
    assert (found.outcome.value, found.type, found.line) == (outcome, kind, line)
    assert message is None or found.message == message
    assert found.test == (None if code.startswith("x") else test)


def test_the_failing_test_is_named(run):
    test = (
        "def check(candidate):\n    for i in range(3):\n        assert candidate(i) == i\n    assert candidate(4) == 4"
    )
    report = run("def f(x): return min(x, 3)", test, entry_point="f")
    assert report.test == "assert candidate(4) == 4"
    assert report.message == "expected 4, got 3"


def test_a_test_cannot_swallow_that_the_program_is_gone(run):
    code = "import os\ndef f(): os._exit(0)"
    assert run(code, "try:\n    f()\nexcept:\n    pass").type == "Exit"


def test_a_function_that_is_missing_is_an_error_even_where_the_prompt_has_its_head(run):
    prompt = "def f(x):\n    '''Half of x.'''\n"
    report = run("def g(x): return x / 2", "def check(candidate):\n    candidate(2)", prompt=prompt, entry_point="f")
    assert (report.outcome, report.type) == (Outcome.ERROR, "NameError")


def test_a_program_does_not_change_what_its_tests_mean(run):
    code = "def f(x): return 0\ndef abs(x): return 0\nclass math:\n    fabs = abs\ndef helper(x): return 0"
    prompt = "def helper(x):\n    return x\ndef f(x):\n    '''x + 1'''"
    for test in ("assert abs(f(2) - 3) < 1", "assert math.fabs(f(2) - 3) < 1", "assert helper(f(2)) - helper(3) == 0"):
        assert run(code, test, prompt=prompt).outcome is Outcome.WRONG
    assert (
        run(code, "assert helper(f(2)) - helper(3) == 0", prompt=prompt, uses_own_helpers=True).outcome
        is Outcome.CORRECT
    )


@pytest.mark.parametrize(
    "code, stdin, report",
    [
        ("print(int(input()) + 1)", "41", ("correct", "42\n")),
        ("import sys\nprint(len(sys.stdin.read()))", "ab\n" * 100_000, ("correct", "300000\n")),
        ("import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())", "é", ("correct", "é")),
        ("import os\nos.write(1, os.read(0, 9))", "ab", ("correct", "ab")),
        ("import sys\nprint(1)\nsys.exit()", "", ("correct", "1\n")),
        ("import os\nprint(1, flush=True)\nos._exit(0)", "", ("correct", "1\n")),
        ("import threading\nthreading.Thread(target=lambda: print(open(0).read())).start()", "a", ("correct", "a\n")),
        ("import atexit\natexit.register(print, 'end')\nprint('begin')", "", ("correct", "begin\nend\n")),
        ("if __name__ == '__main__': print(1)", "", ("correct", "1\n")),
        ("print('never read')", "x" * 1_000_000, ("correct", "never read\n")),
        ("print(1)\n1 / 0", "", ("error", None)),
        ("import sys\nsys.exit(3)", "", ("error", None)),
        ("import os\nos._exit(3)", "", ("error", None)),
        ("while True: pass", "", ("timeout", None)),
        ("while True: print('x' * 10_000)", "", ("error", None)),
        ("x = [0] * (1 << 40)", "", ("memory", None)),
    ],
)
def test_whole_programs(sandbox, code, stdin, report):
    found = sandbox.run(RunJob(code, stdin))
    assert (found.outcome.value, found.stdout) == report


def test_the_line_of_a_whole_program(sandbox):
    report = sandbox.run(RunJob("a = input()\nb = input()", "1"))
    assert (report.type, report.line) == ("EOFError", 2)


def test_the_processes_are_started_once_and_small_and_end_with_the_sandbox():
    sandbox = Sandbox(timeout_s=2.0, memory_limit_mb=512)
    assert sandbox.pid is None
    sandbox.run(RunJob("", ""))
    server = psutil.Process(sandbox.pid)
    tree = [server, *server.children(recursive=True)]
    libraries = {
        os.path.basename(m.path) for p in tree[:3] for m in p.memory_maps()
    }  # the fourth is just being replaced
    assert not any("torch" in name or "numpy" in name for name in libraries)
    sandbox.close()
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in tree)
    with pytest.raises(RuntimeError, match="closed"):
        sandbox.run(RunJob("", ""))


def test_a_killed_server_is_replaced_and_its_program_not_lost(sandbox):
    sandbox.run(RunJob("", ""))
    psutil.Process(sandbox.pid).kill()
    report = sandbox.run(RunJob("print(1)", ""))
    assert report.outcome in (Outcome.CORRECT, Outcome.ERROR)  # whether it was seen dead in time
    assert sandbox.run(RunJob("print(1)", "")).stdout == "1\n"


def test_a_test_that_never_ends_is_a_timeout(run, monkeypatch):
    monkeypatch.setattr("stepalign.execution.sandbox.GRACE_S", 0.5)
    start = time.monotonic()
    assert run("def f(): return 1", "while f(): x = 9 ** 9 ** 9").outcome is Outcome.TIMEOUT
    assert time.monotonic() - start < 10
    assert run("def f(): return 1", "assert f() == 1").outcome is Outcome.CORRECT


def test_programs_end_with_a_killed_parent():
    script = (
        "import os, threading\n"
        "from stepalign.execution.sandbox import RunJob, Sandbox\n"
        "sandbox = Sandbox(timeout_s=1.0, memory_limit_mb=512)\n"
        "sandbox.run(RunJob('', ''))\n"
        "print(sandbox.pid, flush=True)\n"
        "threading.Timer(0.2, os.kill, (os.getpid(), 9)).start()\n"
        "sandbox.run(RunJob('while True: pass', ''))\n"
    )
    parent = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert parent.returncode == -9
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(parent.stdout)).wait(timeout=30)
    assert not psutil.pid_exists(int(parent.stdout))


def test_what_is_missing_is_said_once(caplog):
    fences = Fences(namespaces=False, seccomp=False, landlock=True)
    for _ in range(2):
        _warn(fences, ["unshare: Operation not permitted"])
    assert [record.message for record in caplog.records] == [
        "programs that are graded are not held back from the network, starting, and ending, other processes of this "
        "user: unshare: Operation not permitted."
    ]


def test_a_python_that_does_not_start_is_said(monkeypatch):
    monkeypatch.setattr("stepalign.execution.sandbox.sys.executable", "/bin/false")
    with pytest.raises(ConfigError, match="programs cannot be run"):
        Sandbox(timeout_s=1.0, memory_limit_mb=512).run(RunJob("", ""))
