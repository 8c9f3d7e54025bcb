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

from stepalign.core.files import read_json, write_json
from stepalign.runs.choose import selected
from stepalign.runs.evaluations import EvaluationRow, accuracy_keys, main_key
from stepalign.runs.files import BEST, EVALUATIONS, checkpoint_directory
from stepalign.runs.row import append_rows, read_rows
from stepalign.runs.rows import read_progress
from stepalign.training.guards import Guards, collapse_findings, validation_findings

Validate = Callable[[Path], dict[str, Any]]


class KeepBest(TrainerCallback):
    """Evaluates on the main process; the others wait for it.

    Args:
        directory: of the run.
        validate: evaluates one checkpoint; must leave the model that trains alone.
        patience: evaluations without a better value after which training stops; 0: it never does.
        guards: told of the values, so that a collapse is said.
        announce: called with each checkpoint that was evaluated, when its numbers are on disk.
    """

    def __init__(
        self,
        directory: Path,
        validate: Validate,
        patience: int = 0,
        guards: Guards | None = None,
        announce: Callable[[Path], object] = lambda checkpoint: None,
    ):
        self.directory, self.validate, self.patience, self.guards = directory, validate, patience, guards
        self.announce = announce
        self.evaluated: list[EvaluationRow] = []  # in this session, for whoever wants to be told; they take them out
        self.seconds = 0.0  # spent in this session since training began

    def catch_up(self, sealed: Sequence[Path]) -> None:
        """Evaluate the checkpoints that a kill left without an evaluation."""
        done = {row.step for row in self._rows()}
        for checkpoint in sealed:
            if read_progress(checkpoint).step not in done:
                self.evaluate(checkpoint)

    @property
    def exhausted(self) -> bool:
        """Whether patience is at its end, by what is on disk."""
        rows = self._rows()
        best = selected(rows, _metric(rows))
        return bool(self.patience) and best is not None and len(rows) - 1 - rows.index(best) >= self.patience

    def evaluate(self, checkpoint: Path) -> None:
        """Evaluate one checkpoint and record it, and the best so far."""
        progress = read_progress(checkpoint)
        with torch.random.fork_rng():  # loading a model may draw numbers; the run must not notice
            row = EvaluationRow(**progress.to_json(), **self.validate(checkpoint))
        append_rows(self.directory / EVALUATIONS, row)
        rows = self._rows()
        self.evaluated.append(rows[-1])
        metric = _metric(rows)
        best = selected(rows, metric)
        assert best is not None and metric is not None
        name = checkpoint_directory(self.directory, best.step).name
        record = {"checkpoint": name, "step": best.step, "metric": metric, "value": best.validation[metric]}
        write_json(self.directory / BEST, record)
        if self.guards is not None:
            found = validation_findings(metric, [row.validation[metric] for row in rows])
            found += collapse_findings(rows, "validation")
            self.guards.say(progress.step, found)
        self.announce(checkpoint)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """The best checkpoint so far is kept."""
        self._protect(state)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """Evaluate the checkpoint; stop where patience is at its end."""
        stop = [False]
        if state.is_world_process_zero:
            began = time.monotonic()
            self.evaluate(checkpoint_directory(self.directory, state.global_step))
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

    def _rows(self) -> list[EvaluationRow]:
        return read_rows(self.directory / EVALUATIONS, EvaluationRow)


def _metric(rows: Sequence[EvaluationRow]) -> str | None:
    """The metric that decides, avg@k for the k of these evaluations."""
    return main_key(accuracy_keys(row.validation for row in rows))
