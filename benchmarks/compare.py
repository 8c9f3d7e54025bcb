"""`stepalign compare` on the micro world, end to end: training, evaluation and report of all conditions.

- time, the command against its processor time shared out evenly over the cores: 1 is the least these cores could take,
  what is above it is waiting.
- time and tokens of each self-distillation condition's training against GRPO's, for as many steps. The conditions run
  side by side and share the cores.

The numbers are of a constructed world: they say what the command costs, and nothing about language models.

    python -m benchmarks --only compare            # the recipe micro-quick, once
    python -m benchmarks --only compare --full     # the recipe micro
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, Values, row
from benchmarks.runner import Settings, measure_command, show
from stepalign.core.files import read_jsonl

PRELOAD = ()
GRPO = "grpo"
OTHERS = ("refsol", "stepalign")


def run_case(name: str, settings: Settings) -> list[Row]:
    """Rows of one comparison; it is run once, whatever `settings.runs` says, since it takes minutes."""
    command = "stepalign compare" if settings.full else "stepalign compare --quick"
    with tempfile.TemporaryDirectory() as directory:
        measured = measure_command([*command.split()[1:], "--output_dir", directory], settings)
        show(f"{command}: {measured.time_s:.0f} s, {measured.cpu_s:.0f} s of processor time")
        trained = {condition: last_metrics(Path(directory), condition) for condition in (GRPO, *OTHERS)}
    num_cores = os.cpu_count() or 1
    rows = [
        row(
            name,
            "time",
            Values(command, [measured.time_s]),
            Values(f"its processor time on {num_cores} cores", [measured.cpu_s / num_cores]),
            inputs=f"{command}, micro world",
        )
    ]
    for metric, key in (("time", "wall_s"), ("tokens", "num_generated_tokens")):
        baseline = Values(f"training {GRPO}", [trained[GRPO][key]])
        for condition in OTHERS:
            rows.append(row(name, metric, Values(f"training {condition}", [trained[condition][key]]), baseline))
    return rows


def last_metrics(directory: Path, condition: str) -> dict[str, Any]:
    """The last training row of a condition: running totals of seconds and tokens."""
    return read_jsonl(directory / "conditions" / condition / "seed_0" / "metrics.jsonl")[-1]
