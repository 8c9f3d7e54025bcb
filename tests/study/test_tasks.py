import sys

import pytest

from stepalign.core.errors import StepalignError
from stepalign.study.tasks import Task, run_tasks


def task(tmp_path, name, code):
    mark = tmp_path / f"{name}.done"
    command = [sys.executable, "-c", code.format(mark=str(mark))]
    return Task(name, command, tmp_path / f"{name}.txt", 1, lambda: int(mark.exists()))


WRITE = "open({mark!r}, 'w').close(); print('hello')"


def test_all_tasks_run_and_leave_their_logs(tmp_path):
    run_tasks([task(tmp_path, f"t{i}", WRITE) for i in range(3)], jobs=2)
    assert all((tmp_path / f"t{i}.done").exists() for i in range(3))
    assert (tmp_path / "t0.txt").read_text() == "hello\n"


def test_a_failing_task_stops_the_others_and_says_what_it_said(tmp_path):
    hangs = "import signal; signal.pause()"
    with pytest.raises(StepalignError, match=r"bad stopped with exit code 3: the reason.*bad\.txt"):
        run_tasks([task(tmp_path, "hangs", hangs), task(tmp_path, "bad", "print('the reason'); exit(3)")], jobs=2)


def test_children_share_the_cores(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    run_tasks([task(tmp_path, "t", "import os; print(os.environ['OMP_NUM_THREADS'])")], jobs=10_000)
    assert (tmp_path / "t.txt").read_text() == "1\n"


def test_children_keep_freed_memory_unless_the_user_says_otherwise(tmp_path, monkeypatch):
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "4096")
    names = ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"]
    run_tasks([task(tmp_path, "t", f"import os; print([os.environ[name] for name in {names}])")], jobs=1)
    assert (tmp_path / "t.txt").read_text() == f"{[str(1 << 30), '4096']}\n"
