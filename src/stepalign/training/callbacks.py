"""What a training run leaves on disk, a row a step, and how it goes on after a kill.

`metrics.jsonl` holds TRL's and our metrics of each step with the running totals of rollouts, generated tokens and
seconds. A checkpoint counts once its `progress.json` is there: it is written last, and atomically.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stepalign.core.files import keep_rows, write_json
from stepalign.runs.files import (
    EVALUATIONS,
    METRICS,
    PROGRESS,
    ROLLOUTS,
    TEACHER,
    WARNINGS,
    checkpoint_directory,
    checkpoints,
)
from stepalign.runs.row import append_rows
from stepalign.runs.rows import MetricsRow, Progress, read_progress
from stepalign.training.rollouts import RolloutLog


class RunRecorder(TrainerCallback):
    """Writes `metrics.jsonl` and seals checkpoints.

    `wall_s` counts training alone, over all sessions of a run: `paused_s` tells what this one spent on other things.
    """

    def __init__(
        self,
        directory: Path,
        rollout_log: RolloutLog,
        wall_s: float = 0.0,
        paused_s: Callable[[], float] = lambda: 0.0,
    ):
        self.directory, self.rollout_log, self.paused_s = directory, rollout_log, paused_s
        self.earlier_s, self.started = wall_s, time.monotonic()

    @property
    def totals(self) -> dict[str, Any]:
        """Rollouts, generated tokens and seconds of training so far."""
        return {
            "num_rollouts": self.rollout_log.num_rollouts,
            "num_generated_tokens": self.rollout_log.num_generated_tokens,
            "wall_s": round(self.earlier_s + time.monotonic() - self.started - self.paused_s(), 3),
        }

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """The clock starts."""
        self.started = time.monotonic()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: object,
    ) -> None:
        """A row of metrics, with the totals."""
        if state.is_world_process_zero and logs is not None and "loss" in logs:
            append_rows(self.directory / METRICS, MetricsRow(step=state.global_step, **logs, **self.totals))

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """Seal the checkpoint."""
        if state.is_world_process_zero:
            progress = Progress(step=state.global_step, **self.totals)
            write_json(checkpoint_directory(self.directory, state.global_step) / PROGRESS, progress.to_json())


def roll_back(directory: Path) -> tuple[Path | None, float]:
    """Bring a run's files back to its last sealed checkpoint: (that checkpoint or None, seconds trained so far).

    Half-written checkpoints and the rows of steps after it go; those steps will be trained again.
    """
    sealed = checkpoints(directory)
    for path in directory.glob("checkpoint-*"):
        if path not in sealed:
            shutil.rmtree(path)
    progress = read_progress(sealed[-1]) if sealed else Progress(step=0)
    for name in (METRICS, ROLLOUTS, WARNINGS, EVALUATIONS, TEACHER):
        keep_rows(directory / name, lambda row: row["step"] <= progress.step)
    return (sealed[-1] if sealed else None), progress.wall_s or 0.0
