"""Training, evaluation and inspection as functions: the same settings and the same paths as the commands.

>>> checkpoints = train(
...     config="micro", condition="refsol", output_dir="runs/refsol", max_steps=1, per_device_train_batch_size=2
... )
>>> evaluate(str(checkpoints[-1]), problems, num_samples=2, max_new_tokens=40)["num_samples"]
2
>>> list(inspect_case("examples/cases/micro-one-wrong-step.yaml")["contexts"])
['stepalign', 'refsol']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stepalign.core.errors import ConfigError
from stepalign.core.problem import Problem


def train(config: str | None = None, **settings: object) -> list[Path]:
    """Train one condition; started again on the same `output_dir` it goes on from its last checkpoint.

    Args:
        config: a recipe's path or the name of a shipped one.
        settings: any setting of `stepalign train`, over the recipe's.
    Returns:
        The checkpoint directories, first step first.
    Raises:
        ConfigError: an unknown setting, or no `output_dir`.
    """
    from stepalign.settings.commands import TRAIN
    from stepalign.settings.given import given_values
    from stepalign.settings.resolve import resolve_training
    from stepalign.training.run import train as train_run

    given = given_values(TRAIN, config, settings)
    if "output_dir" not in settings:
        raise ConfigError("train needs output_dir: the directory for checkpoints and records.")
    return train_run(resolve_training(given))


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
    from stepalign.evaluation.evaluate import evaluate_rollouts, grade_rollouts, sample_problems
    from stepalign.grading import Grader
    from stepalign.models import Sampling, load_model, own_defaults
    from stepalign.models.loading import templates_for
    from stepalign.settings.evaluation import LONGEST
    from stepalign.settings.models import resolve_with_adapter

    loaded = load_model(*resolve_with_adapter(model, adapter))
    own = own_defaults(loaded.model.config)
    how = Sampling(**{"max_new_tokens": own.get("max_new_tokens", LONGEST), **sampling})
    templates = templates_for(prompt_templates, own)
    batches = sample_problems(loaded.model, loaded.tokenizer, problems, how, templates)
    with Grader() as grader:
        rollouts = grade_rollouts([rollout for batch in batches for rollout in batch], grader)
        return evaluate_rollouts(problems, rollouts, grader, ks).metrics.to_json()


def inspect_case(
    case: str | Path | Mapping[str, Any],
    *,
    critic: str | None = None,
    dtype: str | None = None,
    output_dir: str | Path | None = None,
) -> dict[str, Any]:
    """What each context changes at each token of one response: A_t, where it falls, how closely the context follows.

    Args:
        case: a case file, or a mapping with its keys: model, problem, response, contexts, and perhaps others (see
            `stepalign.signal.case`).
        critic: exact: the micro world's critic says which step is wrong first, unless the case does.
        dtype: of the weights; None: float32 on a CPU, else as saved.
        output_dir: also write `advantage.json` and `inspect.html` there.
    Returns:
        What `advantage.json` of `stepalign inspect` holds.
    """
    from stepalign.signal.case import make_case, read_case_file
    from stepalign.signal.cases import judge
    from stepalign.signal.inspection import inspect_cases, write_inspection

    values = case if isinstance(case, Mapping) else read_case_file(Path(case))
    judged, _ = judge(make_case(values, "case" if isinstance(case, Mapping) else str(case)), critic)
    (result,) = inspect_cases([judged], dtype)
    if output_dir is not None:
        write_inspection(result, Path(output_dir))
    return result
