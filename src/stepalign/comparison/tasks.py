"""Run commands as child processes, a few at a time, with one progress bar each, and stop them all when one fails.

    >>> import sys
    >>> task = Task("grpo seed 0", [sys.executable, "-c", ""], log=directory / "log.txt", total=77, done=lambda: 77)
    >>> run_tasks([task], jobs=2)

A child is its own process, so that conditions run side by side on several cores or GPUs, a crash takes nothing else
along, and what a child has left on disk is all that the next start needs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from stepalign.core.errors import StepalignError
from stepalign.models.devices import VISIBLE, least_used

POLL_S = 0.5
PARENT = "STEPALIGN_PARENT_PID"  # a child leaves when this process is no longer its parent
# glibc would give freed memory back and get it again, zeroed, many times a training step: a tenth of its time
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}


@dataclass(frozen=True)
class Task:
    """A command; `done()` tells how many of its `total` units are on disk, `log` takes all it prints.

    `num_processes`: of its work, each with a GPU of its own where there are any.
    """

    name: str
    command: Sequence[str]
    log: Path
    total: int
    done: Callable[[], int]
    num_processes: int = 1


def run_tasks(tasks: Sequence[Task], jobs: int, devices: Sequence[str] = ()) -> None:
    """Run all tasks, at most `jobs` at a time, each with its share of the cores.

    Args:
        devices: GPUs, as `VISIBLE` names them; each task sees as many of them as it has processes, those that the
            fewest running tasks use. None: what a task sees is left as it is.
    Raises:
        StepalignError: a child failed; the message carries what it said last. The others are stopped first.
    """
    waiting, running = list(tasks), dict[subprocess.Popen[bytes], tuple[Task, list[str]]]()
    try:
        with Bars(tasks) as bars:
            while waiting or running:
                while waiting and len(running) < jobs:
                    task = waiting.pop(0)
                    in_use = [device for _, others in running.values() for device in others]
                    own = least_used(devices, in_use, task.num_processes)
                    running[_start(task, _environment(task, jobs, own))] = task, own
                    bars.start(task)
                time.sleep(POLL_S)
                for process, (task, _) in list(running.items()):
                    is_done = process.poll() is not None
                    bars.show(task, is_done)
                    if is_done:
                        del running[process]
                        if process.returncode != 0:
                            raise StepalignError(_failure(task, process.returncode))
    finally:
        _stop(list(running))


class Bars:
    """A bar for each task on a terminal; elsewhere a line when a task ends."""

    def __init__(self, tasks: Sequence[Task]):
        width = max((len(task.name) for task in tasks), default=0)
        self.is_terminal = sys.stderr.isatty()
        self.bars = {
            task.name: tqdm(
                total=task.total,
                desc=task.name.ljust(width),
                position=i,
                disable=not self.is_terminal,
                dynamic_ncols=True,
            )
            for i, task in enumerate(tasks)
        }
        self.started: dict[str, float] = {}

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in self.bars.values():
            bar.close()

    def start(self, task: Task) -> None:
        """From now on its time runs."""
        self.started[task.name] = time.monotonic()
        self.bars[task.name].reset(task.total)

    def show(self, task: Task, is_done: bool) -> None:
        """How far a task is."""
        num_done, bar = task.done(), self.bars[task.name]
        bar.n = num_done
        bar.refresh()
        if is_done and not self.is_terminal:
            seconds = time.monotonic() - self.started[task.name]
            print(f"{task.name}: {num_done} of {task.total} in {tqdm.format_interval(seconds)}", file=sys.stderr)


def _environment(task: Task, jobs: int, devices: Sequence[str]) -> dict[str, str]:
    threads = max(1, (os.cpu_count() or 1) // max(1, jobs * task.num_processes))
    visible = {VISIBLE: ",".join(devices)} if devices else {}
    return {"OMP_NUM_THREADS": str(threads), **KEEP_MEMORY, **os.environ, PARENT: str(os.getpid()), **visible}


def _start(task: Task, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    task.log.parent.mkdir(parents=True, exist_ok=True)
    with task.log.open("ab") as log:
        return subprocess.Popen(
            list(task.command), stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment
        )


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _failure(task: Task, code: int) -> str:
    lines = task.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last = next((line for line in reversed(lines) if line.strip()), "it printed nothing")
    return f"{task.name} stopped with exit code {code}: {last.strip()} The whole log is {task.log}."
