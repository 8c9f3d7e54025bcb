"""What commands share: names to models, settings to problems and critics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stepalign.core.errors import ConfigError

MICRO = "micro"


def resolve_model(name: str | None) -> str:
    """The directory or hub name of a model; `micro` is the shipped micro solver.

    Raises:
        ConfigError: no name.
    """
    from stepalign.micro import SOLVER_DIR

    if not name:
        raise ConfigError(
            "no model: set model_name_or_path to a directory, a hub name, or 'micro' (the shipped solver)."
        )
    return str(SOLVER_DIR) if name == MICRO else name


def world_of(study: Any) -> Any:
    """The micro world that the micro_* settings describe."""
    from stepalign.micro import World

    return World(
        min_steps=study.micro_min_steps,
        max_steps=study.micro_max_steps,
        min_carries=study.micro_min_carries,
        max_carries=study.micro_max_carries,
        foreign=study.micro_foreign,
        condensed=study.micro_condensed,
    )


def micro_splits(study: Any, num_validation: int, num_test: int) -> dict[str, list[Any]]:
    """Train, validation and test problems of the micro world that the micro_* settings describe."""
    from stepalign.micro import split_problems

    counts = {"train": study.micro_num_train, "validation": num_validation, "test": num_test}
    return split_problems(world_of(study), counts, study.micro_seed)


def training_problems(study: Any, model: str | None) -> list[Any]:
    """Problems from `train_problems`, or from the micro world where none is given.

    Raises:
        ConfigError: none is given for a model that is not of the micro world.
    """
    from stepalign.data.problems import load_problems

    if study.train_problems is not None:
        return load_problems(study.train_problems)
    check_of_micro_world(model)
    return micro_splits(study, 0, 0)["train"]


def check_of_micro_world(model: str | None) -> None:
    """Raises ConfigError where problems are about to be made for a model that was not made for them."""
    from stepalign.models.loading import read_own_defaults

    name = resolve_model(model)
    if not Path(name).is_dir() or not read_own_defaults(name):
        raise ConfigError(
            f"no problems: train_problems is not set, and problems are made for models of the micro world only, which "
            f"'{name}' is not. Give a JSONL file: --train_problems train.jsonl"
        )


def load_policy(study: Any, args: Any, model_args: Any) -> Any:
    """The model as it is before training, with its two prompts, ready to be scored."""
    from stepalign.models.loading import load_model
    from stepalign.signal.policy import Policy

    model, tokenizer = load_model(resolve_model(model_args.model_name_or_path), dtype=model_args.dtype or "auto")
    return Policy(
        model,
        tokenizer,
        prompt_templates=study.prompt_templates,
        chat_template_kwargs=args.chat_template_kwargs,
        teacher_chat_template_kwargs=args.teacher_chat_template_kwargs,
        max_teacher_prompt_length=study.max_teacher_prompt_length,
    )


def evaluation_sampling(args: Any, evaluation: Any) -> Any:
    """How evaluations sample: as training does (`args`), but for what the settings of evaluations say."""
    from stepalign.models.sampling import Sampling

    return Sampling(
        num_samples=evaluation.num_samples,
        temperature=args.temperature if evaluation.eval_temperature is None else evaluation.eval_temperature,
        top_p=args.top_p,
        top_k=args.top_k,
        max_new_tokens=args.max_completion_length,
        seed=evaluation.eval_seed,
        batch_size=evaluation.eval_batch_size,
    )


@contextmanager
def make_evaluator(study: Any, args: Any, compare: Any, run_directory: Path) -> Iterator[Any]:
    """The evaluator of a comparison: its validation and test problems, and one sampling for all."""
    from stepalign.data.problems import load_problems
    from stepalign.evaluation.checkpoints import Evaluator
    from stepalign.grading import Grader

    sampling = evaluation_sampling(args, compare)
    splits = {split: load_problems(run_directory / "problems" / f"{split}.jsonl") for split in ("validation", "test")}
    with Grader(patterns=study.answer_patterns) as grader:
        yield Evaluator(splits, sampling, grader, study.prompt_templates, args.chat_template_kwargs or None)
