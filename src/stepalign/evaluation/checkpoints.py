"""Evaluate the checkpoints of a training run, each once: a row of `evaluations.jsonl` a checkpoint.

The samples of a checkpoint depend on the seed, the problems and the sampling alone, so that a run that was killed and
started again has the numbers of one that was not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from stepalign.core.files import keep_rows, read_jsonl
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.core.tokenizer import Tokenizer
from stepalign.evaluation.drift import kl_to_base
from stepalign.evaluation.evaluate import Evaluation, evaluate_rollouts, grade_rollouts, sample_problems
from stepalign.grading import AnyGrader
from stepalign.models.loading import load_model
from stepalign.models.prompts import opens_thinking
from stepalign.models.sampling import Sampling
from stepalign.runs.evaluations import EvaluationMetrics, EvaluationRow
from stepalign.runs.files import EVALUATIONS
from stepalign.runs.row import append_rows
from stepalign.runs.rows import read_progress
from stepalign.settings.run import Run


def evaluation_sampling(run: Run) -> Sampling:
    """The sampling of every checkpoint: as training samples, but for what the settings of evaluations say."""
    asked, args = run.evaluation, run.trainer
    return Sampling(
        num_samples=asked.num_samples,
        temperature=args.temperature if asked.eval_temperature is None else asked.eval_temperature,
        top_p=args.top_p,
        top_k=args.top_k or 0,
        max_new_tokens=run.max_response_length,
        seed=asked.eval_seed,
        batch_size=asked.eval_batch_size,
    )


@dataclass(frozen=True)
class Evaluator:
    """How every checkpoint of every condition is evaluated: the same problems, sampling, prompts and grading.

    Attributes:
        splits: sampled together.
        beside: further ones, each sampled on its own, so that they change nothing of the others.
        base: the model from which `drift_on`, one of the splits, measures how far training has gone; empty: none.
    """

    splits: Mapping[str, Sequence[Problem]]
    sampling: Sampling
    grader: AnyGrader
    prompt_templates: str = "steps"
    chat_template_kwargs: dict[str, Any] | None = None
    dtype: str = "auto"
    beside: Mapping[str, Sequence[Problem]] = field(default_factory=dict[str, Sequence[Problem]])
    base: str = ""
    drift_on: str = "test"

    def evaluate(self, model_name: str, adapter: str | None = None) -> dict[str, Evaluation]:
        """Load a model, sample its splits, and grade: split's name to its evaluation."""
        model, tokenizer = self._load(model_name, adapter)
        is_open = opens_thinking(tokenizer, self.chat_template_kwargs)
        evaluations: dict[str, Evaluation] = {}
        for splits in (self.splits, *({name: split} for name, split in self.beside.items() if split)):
            problems = [problem for split in splits.values() for problem in split]
            batches = sample_problems(
                model, tokenizer, problems, self.sampling, self.prompt_templates, self.chat_template_kwargs
            )
            sampled = [rollout for batch in batches for rollout in batch]
            rollouts = grade_rollouts(sampled, self.grader, thinking_open=is_open)
            for name, split in splits.items():
                ids = {problem.id for problem in split}
                own = [r for r in rollouts if r.problem.id in ids]
                evaluation = evaluate_rollouts(split, own, self.grader)
                if self.base and name == self.drift_on:
                    drift = self._drift(model, tokenizer, own, is_base=model_name == self.base and adapter is None)
                    metrics = EvaluationMetrics(**{**evaluation.metrics.to_json(), "kl_to_base": drift})
                    evaluation = replace(evaluation, metrics=metrics)
                evaluations[name] = evaluation
        return evaluations

    def _load(self, name: str, adapter: str | None = None) -> tuple[PreTrainedModel, Tokenizer]:
        return load_model(name, adapter, dtype=self.dtype, prompt_templates=self.prompt_templates)

    def _drift(
        self, model: PreTrainedModel, tokenizer: Tokenizer, rollouts: Sequence[Rollout], is_base: bool
    ) -> float | None:
        """By the first response to each problem: one is enough, and scoring costs little."""
        if is_base:
            return 0.0
        first = [rollout for rollout in rollouts if rollout.sample == 0]
        kwargs = self.chat_template_kwargs
        return kl_to_base(model, self._load(self.base)[0], tokenizer, first, self.prompt_templates, kwargs)


def evaluate_checkpoints(directory: Path, checkpoints: Sequence[Path], base_model: str, evaluator: Evaluator) -> None:
    """Evaluate those checkpoints that `evaluations.jsonl` has no row for yet.

    A checkpoint with an adapter is evaluated on `base_model`.
    """
    progress = [read_progress(checkpoint) for checkpoint in checkpoints]
    steps = {reached.step for reached in progress}
    keep_rows(directory / EVALUATIONS, lambda row: row["step"] in steps)
    done = {row["step"] for row in read_jsonl(directory / EVALUATIONS)}
    for checkpoint, reached in zip(checkpoints, progress, strict=True):
        if reached.step not in done:
            row = EvaluationRow(**reached.to_json(), **evaluate_checkpoint(checkpoint, base_model, evaluator))
            append_rows(directory / EVALUATIONS, row)


def evaluate_checkpoint(checkpoint: Path, base_model: str, evaluator: Evaluator) -> dict[str, Any]:
    """What the row of one checkpoint, or of a model directory without adapter, says of it."""
    if (checkpoint / "adapter_config.json").exists():
        return measured(evaluator.evaluate(base_model, str(checkpoint)))
    return measured(evaluator.evaluate(str(checkpoint)))


def evaluate_base(directory: Path, base_model: str, evaluator: Evaluator) -> None:
    """Evaluate the untrained model, as step 0, unless `evaluations.jsonl` has it already."""
    if not read_jsonl(directory / EVALUATIONS):
        append_rows(directory / EVALUATIONS, EvaluationRow(step=0, **measured(evaluator.evaluate(base_model))))


def measured(evaluations: Mapping[str, Evaluation]) -> dict[str, Any]:
    """Of an evaluation's row the metrics of each split, and under `values` those of each problem."""
    row: dict[str, Any] = {split: evaluation.metrics for split, evaluation in evaluations.items()}
    return {**row, "values": {split: evaluation.values for split, evaluation in evaluations.items()}}
