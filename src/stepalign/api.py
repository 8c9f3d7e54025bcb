"""Training and evaluation as functions: the same settings and the same paths as the commands.

train(config="micro", condition="refsol", output_dir="runs/refsol", max_steps=10)
evaluate("runs/refsol/checkpoint-10", load_problems("test.jsonl"), num_samples=12)["avg@12"]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stepalign.core.errors import ConfigError
from stepalign.core.problem import Problem


def train(config: str | None = None, **settings: Any) -> list[Path]:
    """Train one condition; started again on the same `output_dir` it goes on from its last checkpoint.

    Args:
        config: a recipe's path or the name of a shipped one.
        settings: any setting of `stepalign train`, over the recipe's.
    Returns:
        The checkpoint directories, first step first.
    Raises:
        ConfigError: an unknown setting, or no `output_dir`.
    """
    from stepalign.cli.config import check_keys, field_names, parse_settings
    from stepalign.cli.train import train_condition, types

    check_keys(list(settings), field_names(types()), "train")
    if "output_dir" not in settings:
        raise ConfigError("train needs output_dir: the directory for checkpoints and records.")
    argv = ["--config", config] if config else []
    settings_of_all, _ = parse_settings(types(), argv, overrides=settings)
    return train_condition(*settings_of_all)


def evaluate(
    model: str,
    problems: Sequence[Problem],
    adapter: str | None = None,
    *,
    prompt_templates: str | None = None,
    ks: Sequence[int] = (),
    **sampling: Any,
) -> dict[str, Any]:
    """Sample a model on problems, grade, and measure pass@k, maj@k and avg@k.

    Args:
        model: a directory or hub name of a causal LM; micro: the shipped solver.
        adapter: of a PEFT adapter for it.
        prompt_templates: steps, bare, or a directory; None: what the model's config says, else steps.
        ks: for which k; empty: the number of samples.
        sampling: fields of `stepalign.models.Sampling`, such as num_samples and temperature; max_new_tokens is what the
            model's config says, else 2048.
    Returns:
        What `metrics.json` of `stepalign evaluate` holds.
    """
    from stepalign.cli.wiring import resolve_model
    from stepalign.grading import Grader
    from stepalign.models import Sampling, load_model, own_defaults
    from stepalign.study.evaluate import evaluate_rollouts, grade_rollouts, sample_problems

    loaded = load_model(resolve_model(model), adapter)
    own = own_defaults(loaded.model.config)
    how = Sampling(**{"max_new_tokens": own.get("max_new_tokens", 2048), **sampling})
    templates = prompt_templates or own.get("prompt_templates", "steps")
    batches = sample_problems(loaded.model, loaded.tokenizer, problems, how, templates)
    with Grader() as grader:
        rollouts = grade_rollouts([rollout for batch in batches for rollout in batch], grader)
        return evaluate_rollouts(problems, rollouts, grader, ks).metrics
