"""Measures the sides of a comparison alternately (A B A B), every run in a fresh process.

A side is a top-level function that prepares everything, warms up on a small input and returns what is to be measured,
a function without arguments. The process then measures one call of it: wall time, its own processor time, and peak
memory above what was in use just before. Processes are forked from a server that has imported the libraries and done
nothing else, so that a run costs no import; where forking is not to be had, and for CUDA, they are spawned.

    sides = [Side("ours", prepare_ours, {"size": 3}), Side("theirs", prepare_theirs, {"size": 3})]
    measured = measure_alternately(sides, settings)
    measured["ours"][0].time_s
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import re
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from stepalign.core.errors import StepalignError

GIGABYTE = 1e9


class MeasurementError(StepalignError):
    """A side could not be measured; other cases may still be."""


@dataclass(frozen=True)
class Settings:
    """How to measure. `log`: file for what the measured processes print; `baseline_dir`: of `compare_speed`."""

    runs: int = 5
    quick: bool = False
    full: bool = False
    threads: int | None = None
    device: str = "cpu"
    log: Path = Path(os.devnull)
    baseline_dir: Path | None = None

    def bound(self, value: float) -> float | None:
        """A bound holds for the full sizes only."""
        return None if self.quick else value


@dataclass(frozen=True)
class Side:
    """One of the things compared.

    `prepare(**arguments)` returns the function to measure; `facts(result)` makes plain data of what that returned.
    `memory`: bytes that a run will need, where it may be more than the machine has.
    """

    label: str
    prepare: Callable[..., Callable[[], Any]]
    arguments: dict[str, Any] = field(default_factory=dict)
    facts: Callable[[Any], dict[str, Any]] | None = None
    memory: float = 0


@dataclass(frozen=True)
class Measurement:
    """One run: seconds of wall time and of processor time, bytes of peak memory above the state before."""

    time_s: float
    cpu_s: float
    peak_bytes: int
    facts: dict[str, Any]


def measure_alternately(
    sides: Sequence[Side], settings: Settings, runs: int | None = None
) -> dict[str, list[Measurement]]:
    """`settings.runs` measurements of each side, by its label, one side after the other in every round.

    Raises:
        MeasurementError: a side failed, was killed, or needs more memory than there is.
    """
    measured: dict[str, list[Measurement]] = {side.label: [] for side in sides}
    runs = runs or settings.runs
    for i in range(runs):
        for side in sides:
            measured[side.label].append(measure(side, settings))
            m = measured[side.label][-1]
            show(f"run {i + 1} of {runs}: {side.label}: {m.time_s:.2f} s, {m.peak_bytes / GIGABYTE:.2f} GB")
    return measured


def measure(side: Side, settings: Settings) -> Measurement:
    """One run of one side in a process of its own."""
    available = psutil.virtual_memory().available
    if side.memory > available:
        raise MeasurementError(
            f"{side.label} needs about {side.memory / GIGABYTE:.0f} GB of memory and {available / GIGABYTE:.0f} GB are "
            "free. Free some, or measure small sizes with --quick."
        )
    context = multiprocessing.get_context(start_method(settings.device))
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(theirs, side, settings), daemon=True)
    process.start()
    theirs.close()
    try:
        result = ours.recv()
    except EOFError:
        process.join()
        how = "killed (out of memory?)" if process.exitcode == -9 else f"ended with exit code {process.exitcode}"
        raise MeasurementError(f"{side.label}: the measured process was {how}; see {settings.log}.") from None
    finally:
        process.kill()  # it has nothing to do after its answer
        process.join()
    if isinstance(result, str):
        raise MeasurementError(f"{side.label} failed: {result}")
    return result


def measure_command(
    argv: Sequence[str],
    settings: Settings,
    *,
    environment: Mapping[str, str] | None = None,
    kill_when: Callable[[], bool] | None = None,
) -> Measurement:
    """One run of a `stepalign` command: processor time with its own processes', peak memory of the largest of them.

    It is killed once `kill_when`, asked five times a second, says so.

    Raises:
        MeasurementError: it failed.
    """
    start = time.perf_counter()
    with settings.log.open("a") as log:
        command = [sys.executable, "-m", "stepalign", *argv]
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **(environment or {})})
    is_killed = False
    while not (done := os.wait4(process.pid, os.WNOHANG if kill_when else 0))[0]:
        if kill_when is not None and kill_when():
            os.kill(process.pid, signal.SIGKILL)
            is_killed, kill_when = True, None
        else:
            time.sleep(0.2)
    _, status, usage = done
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and not is_killed:
        code = process.returncode
        raise MeasurementError(f"stepalign {argv[0]} ended with exit code {code}; see {settings.log}.")
    return Measurement(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, _peak_of(usage), {})


def preload(modules: Sequence[str], device: str = "cpu") -> None:
    """Modules that the server of processes imports before the first run."""
    if start_method(device) == "forkserver":
        multiprocessing.get_context("forkserver").set_forkserver_preload(list(modules))


def start_method(device: str) -> str:
    """A library that has asked for CUDA while it was imported leaves none to a forked process."""
    forks = device == "cpu" and "forkserver" in multiprocessing.get_all_start_methods()
    return "forkserver" if forks else "spawn"


def show(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


def _child(connection: Connection, side: Side, settings: Settings) -> None:
    gc.freeze()  # what the server imported need not be searched for garbage
    log = os.open(settings.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        connection.send(_measured(side, settings))
    except Exception as error:
        traceback.print_exc()
        connection.send(f"{type(error).__name__}: {error}; see {settings.log}.")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # taking all the libraries down would cost more than many a run


def _measured(side: Side, settings: Settings) -> Measurement:
    import torch

    if settings.threads:
        torch.set_num_threads(settings.threads)
    _die_first()
    run = side.prepare(**side.arguments)
    memory = _CudaMemory() if settings.device == "cuda" else _Memory()
    start, cpu_start = time.perf_counter(), time.process_time()
    result = run()
    memory.synchronize()
    time_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
    peak = memory.peak()
    return Measurement(time_s, cpu_s, peak, side.facts(result) if side.facts else {})


class _Memory:
    """Peak resident memory from now on, above what is resident now."""

    def __init__(self) -> None:
        gc.collect()
        try:
            Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak so far becomes what is resident now
        except OSError:
            show("the peak of memory cannot be reset here: what preparing took counts as well")
        self.before = psutil.Process().memory_info().rss

    def synchronize(self) -> None:
        pass

    def peak(self) -> int:
        try:
            status = Path("/proc/self/status").read_text()
            peak = int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) * 1024
        except (OSError, IndexError):
            peak = _peak_of(resource.getrusage(resource.RUSAGE_SELF))
        return max(0, peak - self.before)


def _peak_of(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class _CudaMemory:
    """The same of what torch has allocated on the GPU."""

    def __init__(self) -> None:
        import torch

        self.cuda = torch.cuda
        self.synchronize()
        self.cuda.reset_peak_memory_stats()
        self.before = self.cuda.memory_allocated()

    def synchronize(self) -> None:
        self.cuda.synchronize()

    def peak(self) -> int:
        return self.cuda.max_memory_allocated() - self.before


def _die_first() -> None:
    """Where memory runs out, this process should be the one that is killed."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
