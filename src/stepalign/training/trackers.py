"""What trackers (TensorBoard, trackio, wandb, …) are told of a run beside what its steps log: a name, the study's
settings among TRL's, and the validation of each checkpoint, as `validation/avg@12` and so on.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import TensorBoardCallback, integration_utils
from transformers.integrations.integration_utils import rewrite_logs

from stepalign.runs.evaluations import EvaluationRow
from stepalign.settings.run import Run
from stepalign.training.validation import KeepBest

if TYPE_CHECKING:
    from stepalign.training.grpo import GroupTrainer
    from stepalign.training.self_distillation import SelfDistillationTrainer


def introduce(trainer: SelfDistillationTrainer | GroupTrainer, run: Run) -> None:
    """Name the run by condition and seed, unless `run_name` does, and hand over its settings."""
    args = trainer.args
    args.run_name = args.run_name or f"{run.training.condition} seed {args.seed}"
    args.study = dict(run.record)
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
            # TensorBoard names a run by its directory; in the same one a resumed run goes on in the same curve
            callback.logging_dir = str(Path(str(args.output_dir)) / "runs" / args.run_name)


class TellTrackers(TrainerCallback):
    """Passes on what was evaluated since it was last called; after `KeepBest` in the order of callbacks."""

    def __init__(self, trainer: SelfDistillationTrainer | GroupTrainer, best: KeepBest):
        self.trainer, self.best = trainer, best

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """What a kill had left without an evaluation."""
        self._tell()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """The new checkpoint's evaluation."""
        self._tell()

    def _tell(self) -> None:
        trainer, rows = self.trainer, self.best.evaluated
        for row in rows:
            with _names_as_they_are():
                trainer.callback_handler.on_log(trainer.args, trainer.state, trainer.control, validation_metrics(row))
        rows.clear()


def validation_metrics(row: EvaluationRow) -> dict[str, float]:
    """The numbers of a checkpoint's validation, by the names that trackers show."""
    metrics = row.validation.to_json()
    return {f"validation/{name}": value for name, value in metrics.items() if isinstance(value, int | float)}


@contextmanager
def _names_as_they_are() -> Generator[None]:
    """transformers' trackers put `train/` before every name that does not begin with `eval_` or `test_`."""
    integration_utils.rewrite_logs = dict
    try:
        yield
    finally:
        integration_utils.rewrite_logs = rewrite_logs
