"""Validation of a training run: its settings, those of `compare` under the same names, and its evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, fields, make_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from stepalign.core.errors import ConfigError, DataError
from stepalign.core.problem import Problem
from stepalign.core.settings import setting

SHARED = ("num_samples", "eval_temperature", "eval_batch_size", "eval_seed")


def validation_arguments() -> type:
    """The settings of validation for `stepalign train`; `compare` has its own validation, after training."""
    from stepalign.comparison.compare import CompareArguments

    own = {
        "validation_problems": (
            str | None,
            setting(
                None, "JSONL of problems on which each checkpoint is evaluated as it is saved; none: no validation."
            ),
        ),
        "early_stopping_patience": (
            int,
            setting(0, "Stop when validation avg@k was not better in this many evaluations; 0: never."),
        ),
    }
    columns: list[Any] = [(name, hint, default) for name, (hint, default) in own.items()]
    hints = get_type_hints(CompareArguments)
    for item in fields(CompareArguments):
        if item.name in SHARED:
            columns.append((item.name, hints[item.name], field(default=item.default, metadata=item.metadata)))
    return make_dataclass("ValidationArguments", columns)


def check_validation(validation: Any, training: Sequence[Problem]) -> list[Problem]:
    """The validation problems, none where there is no validation.

    Raises:
        ConfigError: a setting that needs them, without them.
        DataError: one of them is trained on.
    """
    from stepalign.data.problems import load_problems

    if validation.early_stopping_patience < 0:
        raise ConfigError(f"early_stopping_patience: got {validation.early_stopping_patience}; expected 0 or more.")
    if validation.validation_problems is None:
        if validation.early_stopping_patience:
            raise ConfigError("early_stopping_patience needs validation_problems; got none. Set it to a JSONL file.")
        return []
    problems = load_problems(validation.validation_problems)
    texts = {p.problem for p in training}  # ids are those of each file
    for problem in problems:
        if problem.problem in texts:
            raise DataError(
                f"validation problem '{problem.id}' is in the training problems, too. Take it out of one of "
                "them: a model must not be evaluated on what it was trained on."
            )
    return problems


def make_validate(validation: Any, study: Any, args: Any, base_model: str, problems: Any, grader: Any) -> Any:
    """What evaluates a checkpoint while training goes on; the numbers are those of `compare`, by the same path."""
    from stepalign.cli.wiring import evaluation_sampling
    from stepalign.evaluation.checkpoints import Evaluator, evaluate_checkpoint

    sampling = evaluation_sampling(args, validation)
    evaluator = Evaluator(
        {"validation": problems}, sampling, grader, study.prompt_templates, args.chat_template_kwargs or None
    )

    def validate(checkpoint: Path) -> dict[str, Any]:
        return evaluate_checkpoint(checkpoint, base_model, evaluator)

    return validate
