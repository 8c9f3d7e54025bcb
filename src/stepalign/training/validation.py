"""Validation while a model trains: each checkpoint is evaluated as it is saved, the best one is recorded, and training
stops where none was better for a while.

    >>> trainer.add_callback(KeepBest(directory, lambda checkpoint: {"validation": {"avg@12": 0.5}}, patience=3))

`validate` takes a checkpoint's directory and gives a row with `validation`, its metrics; avg@k decides, the earliest of
equals wins. The run's directory gets

    evaluations.jsonl   a row a checkpoint
    best.json           checkpoint, step, metric, value

With `save_total_limit` the best checkpoint is never the one that goes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stepalign.core.files import append_jsonl, read_json, read_jsonl, write_json
from stepalign.runs.files import EVALUATIONS, PROGRESS
from stepalign.training.guards import Guards, validation_findings

Validate = Callable[[Path], dict[str, Any]]
BEST = "best.json"


class KeepBest(TrainerCallback):
    """Evaluates on the main process; the others wait for it.

    Args:
        directory: of the run.
        validate: evaluates one checkpoint; must leave the model that trains alone.
        patience: evaluations without a better value after which training stops; 0: it never does.
        guards: told of the values, so that a collapse is said.
    """

    def __init__(self, directory: Path, validate: Validate, patience: int = 0, guards: Guards | None = None):
        self.directory, self.validate, self.patience, self.guards = directory, validate, patience, guards
        self.seconds = 0.0  # spent in this session since training began

    def catch_up(self, sealed: Sequence[Path]) -> None:
        """Evaluate the checkpoints that a kill left without an evaluation."""
        done = {row["step"] for row in read_jsonl(self.directory / EVALUATIONS)}
        for checkpoint in sealed:
            if read_json(checkpoint / PROGRESS)["step"] not in done:
                self.evaluate(checkpoint)

    @property
    def exhausted(self) -> bool:
        """Whether patience is at its end, by what is on disk."""
        values = self._values()
        return bool(self.patience) and len(values) - 1 - _best(values) >= self.patience if values else False

    def evaluate(self, checkpoint: Path) -> None:
        """Evaluate one checkpoint and record it, and the best so far."""
        progress = read_json(checkpoint / PROGRESS)
        with torch.random.fork_rng():  # loading a model may draw numbers; the run must not notice
            row = {**progress, **self.validate(checkpoint)}
        append_jsonl(self.directory / EVALUATIONS, row)
        rows, values = read_jsonl(self.directory / EVALUATIONS), self._values()
        best, metric = rows[_best(values)], accuracy_name(row)
        write_json(
            self.directory / BEST,
            {
                "checkpoint": f"checkpoint-{best['step']}",
                "step": best["step"],
                "metric": metric,
                "value": best["validation"][metric],
            },
        )
        if self.guards is not None:
            self.guards.say(progress["step"], validation_findings(metric, values))

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._protect(state)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        stop = [False]
        if state.is_world_process_zero:
            began = time.monotonic()
            self.evaluate(self.directory / f"checkpoint-{state.global_step}")
            self.seconds += time.monotonic() - began
            stop = [self.exhausted]
        broadcast_object_list(stop)
        control.should_training_stop = control.should_training_stop or stop[0]
        self._protect(state)
        if control.should_training_stop or state.global_step >= state.max_steps:
            # else, with save_total_limit 1, the Trainer ends by removing the last checkpoint, from which runs go on
            state.best_model_checkpoint = None

    def _protect(self, state: TrainerState) -> None:
        path = self.directory / BEST
        if path.exists():
            state.best_model_checkpoint = str(self.directory / read_json(path)["checkpoint"])

    def _values(self) -> list[float]:
        return [row["validation"][accuracy_name(row)] for row in read_jsonl(self.directory / EVALUATIONS)]


def accuracy_name(row: dict[str, Any]) -> str:
    """The name of the metric that decides, avg@k for the k of this evaluation."""
    return next(name for name in row["validation"] if name.startswith("avg@"))


def _best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda i: values[i])
