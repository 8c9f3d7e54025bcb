"""Evaluate the checkpoints of a training run, each once: a row of `evaluations.jsonl` a checkpoint.

The samples of a checkpoint depend on the seed, the problems and the sampling alone, so that a run that was killed and
started again has the numbers of one that was not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepalign.core.files import append_jsonl, keep_rows, read_json, read_jsonl
from stepalign.core.problem import Problem
from stepalign.evaluation.evaluate import Evaluation, evaluate_rollouts, grade_rollouts, sample_problems
from stepalign.grading import Grader
from stepalign.models.loading import load_model
from stepalign.models.sampling import Sampling
from stepalign.runs.files import EVALUATIONS


@dataclass(frozen=True)
class Evaluator:
    """How every checkpoint of every condition is evaluated: the same problems, sampling, prompts and grading."""

    splits: Mapping[str, Sequence[Problem]]
    sampling: Sampling
    grader: Grader
    prompt_templates: str = "steps"
    chat_template_kwargs: dict[str, Any] | None = None
    dtype: str = "auto"

    def evaluate(self, model_name: str, adapter: str | None = None) -> dict[str, Evaluation]:
        """Load a model, sample all splits together, and grade: split's name to its evaluation."""
        model, tokenizer = load_model(model_name, adapter, dtype=self.dtype)
        problems = [problem for split in self.splits.values() for problem in split]
        batches = sample_problems(
            model, tokenizer, problems, self.sampling, self.prompt_templates, self.chat_template_kwargs
        )
        rollouts = grade_rollouts([rollout for batch in batches for rollout in batch], self.grader)
        evaluations: dict[str, Evaluation] = {}
        for name, split in self.splits.items():
            ids = {problem.id for problem in split}
            evaluations[name] = evaluate_rollouts(split, [r for r in rollouts if r.problem.id in ids], self.grader)
        return evaluations


def evaluate_checkpoints(directory: Path, checkpoints: Sequence[Path], base_model: str, evaluator: Evaluator) -> None:
    """Evaluate those checkpoints that `evaluations.jsonl` has no row for yet.

    A checkpoint with an adapter is evaluated on `base_model`.
    """
    steps = {read_json(checkpoint / "progress.json")["step"] for checkpoint in checkpoints}
    keep_rows(directory / EVALUATIONS, lambda row: row["step"] in steps)
    done = {row["step"] for row in read_jsonl(directory / EVALUATIONS)}
    for checkpoint in checkpoints:
        progress = read_json(checkpoint / "progress.json")
        if progress["step"] not in done:
            append_jsonl(
                directory / EVALUATIONS, {**progress, **evaluate_checkpoint(checkpoint, base_model, evaluator)}
            )


def evaluate_checkpoint(checkpoint: Path, base_model: str, evaluator: Evaluator) -> dict[str, Any]:
    """The row of one checkpoint, or of a model directory without adapter."""
    if (checkpoint / "adapter_config.json").exists():
        return evaluation_row(evaluator.evaluate(base_model, str(checkpoint)))
    return evaluation_row(evaluator.evaluate(str(checkpoint)))


def evaluation_row(evaluations: Mapping[str, Evaluation]) -> dict[str, Any]:
    """Metrics of each split, and under `values` those of each problem."""
    row: dict[str, Any] = {split: evaluation.metrics for split, evaluation in evaluations.items()}
    return {**row, "values": {split: evaluation.values for split, evaluation in evaluations.items()}}
