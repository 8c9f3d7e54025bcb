"""The problems of a run: from files, or made by the micro world, for its own models only."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from stepalign.core.errors import ConfigError, DataError
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.data.logged import load_rollouts
from stepalign.data.problems import load_problems
from stepalign.micro.worlds import ARITHMETIC, make_world, split_problems
from stepalign.models.loading import read_own_defaults
from stepalign.settings.groups import ComparisonSettings, MicroSettings, PreflightSettings, ValidationSettings
from stepalign.settings.models import micro_model

log = logging.getLogger(__name__)


def training_problems(path: str | None, micro: MicroSettings, model: str, columns: Sequence[str] = ()) -> list[Problem]:
    """Problems of data of any shape, or of the micro world where none is given.

    Raises:
        ConfigError: none is given for a model that is not of the micro world.
        DataError: the file cannot be read.
    """
    if path is not None:
        return load_problems(path, columns, likely="train")
    check_of_micro_world(model, micro.micro_world)
    return micro_splits(micro, 0, 0)["train"]


def preflight_problems(
    preflight: PreflightSettings, path: str | None, micro: MicroSettings, model: str, columns: Sequence[str], seed: int
) -> tuple[list[Problem], list[Rollout]]:
    """The problems to try, drawn at random, in the order in which they were given; and their rollouts, where samples
    are given: then only problems with a sample are tried, of a log without problems its prompts.

    Raises:
        ConfigError, DataError: as `training_problems` and `load_rollouts`, or every sample is empty.
    """
    draw, most = random.Random(f"stepalign preflight {seed}"), preflight.num_problems
    if preflight.samples is None:
        problems = training_problems(path, micro, model, columns)
        return [problems[i] for i in sorted(draw.sample(range(len(problems)), min(most, len(problems))))], []
    is_known = path is not None or is_of_micro_world(model)
    known = training_problems(path, micro, model, columns) if is_known else None
    given = load_rollouts(preflight.samples, known, preflight.rollouts_format, preflight.sample_columns)
    by_problem: dict[str, list[Rollout]] = {}
    for rollout in given:
        if rollout.text.strip():
            by_problem.setdefault(rollout.problem.id, []).append(rollout)
    num_kept = sum(map(len, by_problem.values()))
    if not num_kept:
        raise DataError(f"{preflight.samples}: all {len(given)} samples are empty; expected responses to score.")
    if num_kept < len(given):
        log.warning("samples: %d of %d are empty, and left out", len(given) - num_kept, len(given))
    names = list(by_problem) if known is None else [p.id for p in known if p.id in by_problem]
    chosen = [names[i] for i in sorted(draw.sample(range(len(names)), min(most, len(names))))]
    rollouts = [rollout for name in chosen for rollout in by_problem[name][: preflight.num_samples]]
    return [by_problem[name][0].problem for name in chosen], rollouts


def compared_problems(
    train: str | None,
    comparison: ComparisonSettings,
    micro: MicroSettings,
    model: str,
    columns: Sequence[str] = (),
) -> dict[str, list[Problem]]:
    """Train, validation and test problems: three files, or the micro world's; and those out of domain, if any.

    Raises:
        ConfigError: none is given for a model that is not of the micro world.
        DataError: a file cannot be read, a split is empty, or a problem is in two of them.
    """
    given = {"train": train, "validation": comparison.validation_problems, "test": comparison.test_problems}
    if not any(given.values()):
        check_of_micro_world(model, micro.micro_world)
        problems = micro_splits(micro, comparison.micro_num_validation, comparison.micro_num_test)
    else:
        problems = {split: load_problems(str(path), columns, likely=split) for split, path in given.items()}
    if comparison.out_of_domain_problems is not None:
        problems["out_of_domain"] = load_problems(comparison.out_of_domain_problems, columns, likely="test")
    check_splits(problems)
    return problems


def validation_problems(
    validation: ValidationSettings, training: Sequence[Problem], columns: Sequence[str] = ()
) -> list[Problem]:
    """The problems of validation while training, none where there is none.

    Raises:
        ConfigError: a setting that needs them, without them.
        DataError: one of them is trained on.
    """
    if validation.validation_problems is None:
        if validation.early_stopping_patience:
            raise ConfigError(
                "early_stopping_patience needs validation_problems; got none. Set it to a file of problems."
            )
        return []
    problems = load_problems(validation.validation_problems, columns, likely="validation")
    texts = {problem.problem for problem in training}  # ids are those of each file
    for problem in problems:
        if problem.problem in texts:
            raise DataError(
                f"validation problem '{problem.id}' is in the training problems, too. Take it out of one of "
                "them: a model must not be evaluated on what it was trained on."
            )
    return problems


def micro_splits(micro: MicroSettings, num_validation: int, num_test: int) -> dict[str, list[Problem]]:
    """Train, validation and test problems of the micro world that the settings describe."""
    world = make_world(
        micro.micro_world,
        min_steps=micro.micro_min_steps,
        max_steps=micro.micro_max_steps,
        min_carries=micro.micro_min_carries,
        max_carries=micro.micro_max_carries,
        foreign=micro.micro_foreign,
        condensed=micro.micro_condensed,
    )
    counts = {"train": micro.micro_num_train, "validation": num_validation, "test": num_test}
    return split_problems(world, counts, micro.micro_seed)


def check_of_micro_world(model: str, world: str) -> None:
    """Raises ConfigError where problems of a world are about to be made for a model that was not made for them."""
    if not is_of_micro_world(model):
        raise ConfigError(
            f"no problems: train_problems is not set, and problems are made for models of the micro world only, which "
            f"'{model}' is not. Give a file or a dataset: --train_problems train.jsonl"
        )

    own = own_world(model)
    if own != world:
        raise ConfigError(
            f"micro_world is {world}, and '{model}' is a solver of {own}. Set micro_world: {own}, or "
            f"model_name_or_path: {micro_model(world)}."
        )


def own_world(model: str) -> str:
    """Which micro world a model of one of them is made for."""
    return read_own_defaults(model).get("world", ARITHMETIC)


def is_of_micro_world(model: str) -> bool:
    """Whether a model is one of the micro world's or was trained from one: its config says how it is used here."""
    return Path(model).is_dir() and bool(read_own_defaults(model))


def check_splits(problems: Mapping[str, Sequence[Problem]]) -> None:
    """Raises DataError where a split is empty or two splits share a problem: its test value would be worth nothing."""
    texts: dict[str, str] = {}
    ids: dict[str, str] = {}
    for split in problems:
        if not problems[split]:
            raise DataError(f"no {split} problems; expected at least one.")
        for problem in problems[split]:
            if (other := texts.setdefault(problem.problem, split)) != split:
                raise DataError(
                    f"problem '{problem.id}' is in {other} and in {split}. Take it out of one of them: "
                    "a model must not be evaluated on what it was trained on."
                )
            if (other := ids.setdefault(problem.id, split)) != split:
                raise DataError(
                    f"two different problems, one in {other} and one in {split}, have the id '{problem.id}'. Give each "
                    "an id of its own; made ids hold the name of the file, so files of two names will do."
                )


def check_num_problems(num_problems: int, batch_size: int, accumulation: int, num_processes: int) -> None:
    """Raises ConfigError where the problems do not fill one step: TRL's sampler would then yield nothing at all."""
    prompts = batch_size * accumulation * num_processes
    if num_problems < prompts:
        raise ConfigError(
            f"{num_problems} training problems do not fill one step of {prompts} prompts. Give more problems, or lower "
            f"per_device_train_batch_size (now {batch_size}) or gradient_accumulation_steps."
        )
