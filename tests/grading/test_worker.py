import contextlib
import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from stepalign.core.errors import ConfigError
from stepalign.core.rollout import Outcome
from stepalign.grading.worker import Worker

HANGS = r"\dfrac{5^{(5^{(5^{(5^5)})}-4)}-5}{16}"  # in one operation in C that no signal handler interrupts


@pytest.fixture
def worker():
    worker = Worker(timeout_s=1.0, memory_limit_mb=512)
    yield worker
    worker.close()


def test_the_process_is_started_once_and_small(worker):
    assert worker.pid is None
    assert worker.compare("1/2", "2^{-1}") is Outcome.CORRECT
    first = worker.pid
    assert worker.compare("1/2", "2^{-2}") is Outcome.WRONG
    assert worker.pid == first
    libraries = {os.path.basename(m.path) for m in psutil.Process(first).memory_maps()}
    assert not any("torch" in name for name in libraries)
    worker.close()
    assert not psutil.pid_exists(first)
    with pytest.raises(RuntimeError, match="closed"):
        worker.compare("1/2", "2^{-1}")


def test_a_hang_is_a_timeout_and_the_next_answer_is_graded(worker):
    assert worker.compare("18", HANGS) is Outcome.TIMEOUT
    assert worker.pid is None
    assert worker.compare("1/2", "2^{-1}") is Outcome.CORRECT


@pytest.mark.timeout(60)
def test_a_process_that_does_nothing_is_a_timeout_too(worker):
    worker.compare("x", "y")
    os.kill(worker.pid, signal.SIGSTOP)
    assert worker.compare("1/2", "2^{-1}") is Outcome.TIMEOUT
    assert worker.compare("1/2", "2^{-1}") is Outcome.CORRECT


def test_a_killed_process_is_replaced(worker):
    worker.compare("x", "y")
    killed = psutil.Process(worker.pid)
    killed.kill()
    assert worker.compare("1/2", "2^{-1}") in (Outcome.CORRECT, Outcome.TIMEOUT)  # whether it was seen dead in time
    assert worker.compare("1/2", "2^{-1}") is Outcome.CORRECT
    assert worker.pid != killed.pid


def test_a_process_is_retired(worker, monkeypatch):
    monkeypatch.setattr("stepalign.grading.worker.MAX_COMPARISONS", 2)
    worker.compare("x", "y")
    assert worker.pid is not None
    worker.compare("x", "z")
    assert worker.pid is None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory")
def test_too_little_memory_to_start_is_said():
    with pytest.raises(ConfigError, match="within 40 MB"):
        Worker(timeout_s=1.0, memory_limit_mb=40).compare("x", "y")


def test_ctrl_c_ends_the_comparison_and_the_process():
    worker = Worker(timeout_s=60.0, memory_limit_mb=512)
    worker.compare("x", "y")
    process = psutil.Process(worker.pid)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        worker.compare("18", HANGS)
    assert worker.pid is None
    assert not process.is_running()


def test_the_process_does_not_outlive_a_killed_parent():
    script = (
        "import json, os\n"
        "from stepalign.grading.worker import Worker\n"
        "worker = Worker(timeout_s=0.5, memory_limit_mb=512)\n"
        "worker.compare('x', 'y')\n"
        "print(worker.pid, flush=True)\n"
        f"worker._process.stdin.write(json.dumps(['18', {HANGS!r}]) + '\\n')\n"
        "worker._process.stdin.flush()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert parent.returncode == -9
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(parent.stdout)).wait(timeout=30)
    assert not psutil.pid_exists(int(parent.stdout))
