"""What a comparison of the micro world is made of, beside an older checkout: a GRPO step, a self-distillation step, an
evaluation.

    git worktree add ../before v0.1.0
    python -m benchmarks --only compare_speed --baseline_dir ../before
    python -m benchmarks --only compare_speed                   # beside transformers' generate and TRL's loss

Every part runs in a process of its own, with the environment that its side's `compare` gives its children and one
thread, the sides by turns (A B A B). The steps are the recipe's own from the shipped solver, so both sides see the same
prompts; the first is warm-up. An evaluation is of all validation and test problems. Values are medians over the steps
of all runs. On a busy machine read the processor's share, `cpu_ratio`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.laps import PARTS, Laps
from benchmarks.rows import Row, Values, row
from benchmarks.runner import MeasurementError, Settings, show

PRELOAD = ()
HERE = Path(__file__).parents[1]


def run_case(name: str, settings: Settings) -> list[Row]:
    """The row of each part, this checkout against the baseline."""
    num_steps = 1 if settings.quick else 5
    before = settings.baseline_dir.resolve() if settings.baseline_dir else None
    labels = ("now", f"{before}" if before else "generate, all rollouts in the loss, padding")
    rows: list[Row] = []
    for part in PARTS:
        laps: list[Laps] = [{"time_s": [], "cpu_s": []} for _ in labels]
        for i in range(settings.runs):
            for of_side, directory in zip(laps, (HERE, before), strict=True):
                for clock, seconds in run_side(directory, part, num_steps, settings).items():
                    of_side[clock] += seconds
            show(f"run {i + 1} of {settings.runs}: {part}")
        now, baseline = (Values(f"{part}: {labels[k]}", laps[k]["time_s"], laps[k]["cpu_s"]) for k in (0, 1))
        rows.append(row(name, "time", now, baseline))
    return rows


def run_side(directory: Path | None, part: str, num_steps: int, settings: Settings) -> Laps:
    """One process of one side: its checkout's code (None: ours by `use_generate`), this checkout's measurement.

    Raises:
        MeasurementError: it failed.
    """
    source = (directory or HERE) / "src"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(source), "HF_HUB_OFFLINE": "1"}
    asked = "import json, stepalign.comparison.tasks as t; print(json.dumps(getattr(t, 'KEEP_MEMORY', {})))"
    own = subprocess.run([sys.executable, "-c", asked], env=environment, check=True, capture_output=True, text=True)
    environment |= json.loads(own.stdout)
    command = [sys.executable, "-m", "benchmarks.laps", part, str(num_steps), *(["generate"] if not directory else [])]
    with settings.log.open("a") as log:
        done = subprocess.run(command, env=environment, cwd=HERE, stdout=subprocess.PIPE, stderr=log, text=True)
    if done.returncode:
        raise MeasurementError(f"{part} in {directory or HERE} ended with {done.returncode}; see {settings.log}.")
    return json.loads(done.stdout.splitlines()[-1])
