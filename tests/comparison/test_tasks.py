import sys

import pytest

from stepalign.comparison.tasks import Task, run_tasks
from stepalign.core.errors import StepalignError


def task(tmp_path, name, code, num_processes=1):
    mark = tmp_path / f"{name}.done"
    command = [sys.executable, "-c", code.format(mark=str(mark))]
    return Task(name, command, tmp_path / f"{name}.txt", 1, lambda: int(mark.exists()), num_processes)


WRITE = "open({mark!r}, 'w').close(); print('hello')"
VISIBLE = "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES')); "


def test_all_tasks_run_and_leave_their_logs(tmp_path):
    run_tasks([task(tmp_path, f"t{i}", WRITE) for i in range(3)], jobs=2)
    assert all((tmp_path / f"t{i}.done").exists() for i in range(3))
    assert (tmp_path / "t0.txt").read_text() == "hello\n"


def test_elsewhere_than_on_a_terminal_a_line_says_that_a_task_ended(tmp_path, capsys):
    run_tasks([task(tmp_path, "t0", WRITE)], jobs=1)
    assert capsys.readouterr().err == "t0: 1 of 1 in 00:00\n"


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


def test_each_task_sees_gpus_of_its_own_which_the_next_one_gets_when_it_ends(tmp_path):
    last = str(tmp_path / "t2.done")
    tasks = [
        task(tmp_path, "t0", VISIBLE + f"\nwhile not os.path.exists({last!r}): pass"),  # runs beside both others
        task(tmp_path, "t1", VISIBLE),
        task(tmp_path, "t2", VISIBLE + WRITE),
        task(tmp_path, "two", VISIBLE, num_processes=2),
    ]
    run_tasks(tasks, jobs=2, devices=["GPU-a", "GPU-b"])
    seen = [(tmp_path / f"{name}.txt").read_text().split()[0] for name in ("t0", "t1", "t2", "two")]
    assert seen[:3] == ["GPU-a", "GPU-b", "GPU-b"]
    assert sorted(seen[3].split(",")) == ["GPU-a", "GPU-b"]


def test_without_gpus_what_a_task_sees_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    run_tasks([task(tmp_path, "t", VISIBLE)], jobs=1)
    assert (tmp_path / "t.txt").read_text() == "7\n"
