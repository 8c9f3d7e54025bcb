"""How much grading programs adds to running their tests: 1,000 small programs on all cores against the tests alone.

The ideal is what the tests take by themselves on as many cores: each program in a process forked from one that has
imported what it needs, with nothing limited and nothing kept apart. A fresh interpreter for each program is beside it.
A program computes for some milliseconds, as HumanEval's solutions do under their tests.

    python -m benchmarks --only programs
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.rows import Row, Values, row
from benchmarks.runner import MeasurementError, Settings, show
from stepalign.core.problem import Problem, Tests
from stepalign.grading import Grader

PRELOAD = ()
BOUND = 1.5  # of the ideal
CODE = """
import math
from typing import List

def primes(n: int) -> List[int]:
    return [k for k in range(2, n) if all(k % d for d in range(2, math.isqrt(k) + 1))]
"""
TEST = """
def check(candidate):
    assert candidate(10) == [2, 3, 5, 7]
    assert len(candidate(1000 + {0})) >= 168
    assert sum(candidate(2000)) == 277050
"""
DRIVER = """
import json, math, os, subprocess, sys, typing

def forked(source):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            exec(source, {})
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1]

def fresh(source):
    return subprocess.run([sys.executable, "-c", source]).returncode

sys.exit(any([globals()[sys.argv[1]](source) for source in json.load(sys.stdin)]))
"""


def run_case(name: str, settings: Settings) -> list[Row]:
    """Wall time against both ideals, in turns."""
    num_programs = 100 if settings.quick else 1000
    problems = [
        Problem(str(i), "Primes below n.", tests=Tests(check=TEST.format(i % 7), entry_point="primes"))
        for i in range(num_programs)
    ]
    num_cores = os.cpu_count() or 1
    some = problems[: num_programs // 10]
    sides: dict[str, list[tuple[float, float]]] = {"graded": [], "forked": [], "fresh": []}
    for i in range(settings.runs):
        sides["graded"].append(timed(lambda: grade(problems, num_cores)))
        sides["forked"].append(timed(lambda: on_all_cores(problems, "forked", num_cores)))
        wall_s, cpu_s = timed(lambda: on_all_cores(some, "fresh", num_cores))
        sides["fresh"].append((10 * wall_s, 10 * cpu_s))
        show(f"run {i + 1} of {settings.runs}: " + ", ".join(f"{k} {v[-1][0]:.2f} s" for k, v in sides.items()))
    labels = {
        "graded": f"{num_programs:,} programs, {num_cores} workers",
        "forked": f"the tests alone on {num_cores} cores, forked",
        "fresh": f"the tests alone on {num_cores} cores, an interpreter each",
    }
    values = {side: Values(labels[side], *map(list, zip(*runs, strict=True))) for side, runs in sides.items()}
    return [
        row(name, "time", values["graded"], values["forked"], bound=settings.bound(BOUND)),
        row(name, "time", values["graded"], values["fresh"]),
    ]


def grade(problems: list[Problem], num_workers: int) -> None:
    """From cold workers to the last grade."""
    with Grader(num_workers=num_workers) as grader:
        grades = list(grader.grade_all((f"```python\n{CODE}```", problem) for problem in problems))
    if not all(grade.is_correct for grade in grades):
        raise MeasurementError(f"a program was graded {next(g for g in grades if not g.is_correct)}.")


def on_all_cores(problems: list[Problem], how: str, num_cores: int) -> None:
    """The tests by themselves: each core has its share, one program after the other."""
    sources = [f"{CODE}\n{p.tests.check}\ncheck(primes)" for p in problems if p.tests is not None]
    drivers: list[subprocess.Popen[str]] = []
    for core in range(num_cores):
        drivers.append(subprocess.Popen([sys.executable, "-c", DRIVER, how], stdin=subprocess.PIPE, text=True))
        pipe = drivers[-1].stdin
        assert pipe is not None
        with pipe:
            json.dump(sources[core::num_cores], pipe)
    if any([driver.wait() for driver in drivers]):
        raise MeasurementError("a program failed its tests.")


def timed(run: Callable[[], None]) -> tuple[float, float]:
    """Seconds of wall time, and of the processor with all processes that have ended."""
    start, cpu_s = time.perf_counter(), processor_s()
    run()
    return time.perf_counter() - start, processor_s() - cpu_s


def processor_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
