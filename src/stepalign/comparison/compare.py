"""Compare conditions: the same model, problems, seeds, sampling and optimizer for all; the learning signal differs.

A comparison is a directory. Every condition and seed has one of its own in it, which a child process trains and
evaluates; this module lays the directories out, checks that they differ in the condition alone, and starts children.
Started again on the same directory, a comparison goes on where it was.

    RUN/config.yaml  environment.json  results.json  report.html
    RUN/problems/{train,validation,test}.jsonl
    RUN/base/evaluations.jsonl
    RUN/conditions/<condition>/seed_<seed>/{settings,config}.yaml  metrics.jsonl  evaluations.jsonl  rollouts.jsonl
                                          checkpoint-*/
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stepalign.comparison.devices import default_jobs, visible_devices
from stepalign.comparison.tasks import Task, run_tasks
from stepalign.core.errors import ConfigError, DataError
from stepalign.core.files import read_jsonl, write_jsonl, write_text
from stepalign.core.problem import Problem
from stepalign.core.settings import setting
from stepalign.runs.files import EVALUATIONS

SPLITS = ("train", "validation", "test")
NOT_PART_OF_THE_STUDY = ("output_dir", "jobs")  # how it is run, not what is studied
MAY_GROW = ("conditions", "seeds")  # a comparison may be taken up again with more of them
EVALUATION_UNITS = 5  # one evaluation weighs as much in the progress bar as this many training steps


@dataclass
class CompareArguments:
    """What is compared and how it is evaluated."""

    conditions: list[str] = setting(
        ["grpo", "refsol", "stepalign"], "Conditions to compare: grpo and feedback formats."
    )
    seeds: list[int] = setting([0], "Seeds; every condition is trained once with each.")
    validation_problems: str | None = setting(
        None, "JSONL of problems to choose the checkpoint on; none: the micro world makes them."
    )
    test_problems: str | None = setting(None, "JSONL of held-out problems; none: the micro world makes them.")
    micro_num_validation: int = setting(30, "Validation problems that the micro world makes.")
    micro_num_test: int = setting(60, "Test problems that the micro world makes.")
    num_samples: int = setting(12, "Responses a problem in an evaluation: the k of pass@k, maj@k and avg@k.")
    eval_temperature: float | None = setting(None, "Sampling temperature of evaluations; none: temperature.")
    eval_batch_size: int = setting(264, "Sequences sampled together in an evaluation.")
    eval_seed: int = setting(0, "Seed of the evaluations' sampling: the same for all conditions and checkpoints.")
    num_processes: int = setting(
        1,
        "Processes that train one condition, one a GPU. Batch sizes are those of a process, as with accelerate launch: "
        "a step has num_processes x per_device_train_batch_size x gradient_accumulation_steps prompts.",
    )
    jobs: int = setting(
        0,
        "Conditions trained at the same time, each on GPUs of its own; where these are too few, they are shared. "
        "0: as many as fit, a process a GPU, or a core on a CPU.",
    )

    def __post_init__(self) -> None:
        for name, least in (("num_processes", 1), ("jobs", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name}: got {getattr(self, name)}; expected {least} or more.")


@dataclass(frozen=True)
class Comparison:
    """A comparison on disk. `settings` are the study's, by name; `num_checkpoints` is per condition."""

    directory: Path
    compare: CompareArguments
    settings: Mapping[str, Any]
    max_steps: int
    num_checkpoints: int

    @property
    def base(self) -> Path:
        return self.directory / "base"

    def seed_directory(self, condition: str, seed: int) -> Path:
        return self.directory / "conditions" / condition / f"seed_{seed}"

    @property
    def seed_directories(self) -> dict[tuple[str, int], Path]:
        c = self.compare
        return {(name, seed): self.seed_directory(name, seed) for seed in c.seeds for name in c.conditions}


def lay_out(comparison: Comparison, problems: Mapping[str, Sequence[Problem]]) -> None:
    """Write the comparison's problems and settings, and those of each condition and seed.

    Raises:
        ConfigError: the directory holds a comparison with other settings; nothing was changed. More conditions and
            seeds may be added to one.
        DataError: a split is empty, or a problem is in two splits.
    """
    check_splits(problems)
    study = {k: v for k, v in comparison.settings.items() if k not in NOT_PART_OF_THE_STUDY}
    _check_same_study(comparison.directory, study)
    _check_same_problems(comparison.directory, problems)
    for split in SPLITS:
        write_jsonl(comparison.directory / "problems" / f"{split}.jsonl", (p.to_json() for p in problems[split]))
    write_text(comparison.directory / "config.yaml", yaml.safe_dump(study, sort_keys=True))
    own = set(CompareArguments.__dataclass_fields__)
    shared = {k: v for k, v in study.items() if k not in own}
    shared["train_problems"] = str((comparison.directory / "problems" / "train.jsonl").resolve())
    for (condition, seed), directory in comparison.seed_directories.items():
        settings = {**shared, "condition": condition, "seed": seed, "output_dir": str(directory.resolve())}
        write_text(directory / "settings.yaml", yaml.safe_dump(settings, sort_keys=True))


def check_splits(problems: Mapping[str, Sequence[Problem]]) -> None:
    """Raises DataError where a split is empty or two splits share a problem: its test value would be worth nothing."""
    seen: dict[str, str] = {}
    for split in SPLITS:
        if not problems[split]:
            raise DataError(f"no {split} problems; expected at least one.")
        for problem in problems[split]:
            for key in (f"id {problem.id}", f"text {problem.problem}"):
                if seen.setdefault(key, split) != split:
                    raise DataError(
                        f"problem '{problem.id}' is in {seen[key]} and in {split}. Take it out of one of them: "
                        "a model must not be evaluated on what it was trained on."
                    )


def _check_same_study(directory: Path, study: Mapping[str, Any]) -> None:
    path = directory / "config.yaml"
    if not path.exists():
        return
    stored = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    differing = sorted(k for k in {*stored, *study} - {*MAY_GROW} if stored.get(k) != study.get(k))
    differing += [k for k in MAY_GROW if not {*stored.get(k, [])} <= {*study.get(k, [])}]
    if differing:
        k = differing[0]
        raise ConfigError(
            f"{directory} holds a comparison with other settings: {k} is {stored.get(k)} there and {study.get(k)} now"
            f"{f' (and {len(differing) - 1} more)' if len(differing) > 1 else ''}. "
            "Use another --output_dir, or the settings it was started with."
        )


def _check_same_problems(directory: Path, problems: Mapping[str, Sequence[Problem]]) -> None:
    for split in SPLITS:
        path = directory / "problems" / f"{split}.jsonl"
        if path.exists() and read_jsonl(path) != [problem.to_json() for problem in problems[split]]:
            raise ConfigError(
                f"{directory} holds a comparison on other {split} problems: they differ from {path}. "
                "Use another --output_dir, or the problems it was started with."
            )


def check_conditions_alike(comparison: Comparison) -> dict[str, Any]:
    """The resolved settings that all conditions and seeds share, read back from what each child wrote.

    Raises:
        ConfigError: two of them differ in more than condition, seed and directory.
    """
    own = {"condition", "seed", "output_dir", "data_seed"}
    resolved: dict[str, dict[str, Any]] = {}
    for (condition, seed), directory in comparison.seed_directories.items():
        config = yaml.safe_load((directory / "config.yaml").read_text(encoding="utf-8"))
        resolved[f"{condition} seed {seed}"] = {k: v for k, v in config.items() if k not in own and "dir" not in k}
    (first, reference), *others = resolved.items()
    for name, config in others:
        for key in sorted({*reference, *config}):
            if reference.get(key) != config.get(key):
                raise ConfigError(
                    f"conditions are not alike: {key} is {reference.get(key)} for {first} and {config.get(key)} for "
                    f"{name}. Remove the directory of one of them and run again."
                )
    return reference


def run_comparison(comparison: Comparison) -> None:
    """Train and evaluate all that is not finished yet."""
    compare, devices = comparison.compare, visible_devices()
    tasks = [
        _task(comparison, f"{condition} seed {seed}", directory, comparison.max_steps)
        for (condition, seed), directory in comparison.seed_directories.items()
    ]
    # the longest first, GRPO: with two workers it then runs beside all others; the base model is the shortest
    tasks.sort(key=lambda task: not task.name.startswith("grpo"))
    tasks.append(_task(comparison, "base model", comparison.base, steps=0))
    jobs = compare.jobs or default_jobs(devices, compare.num_processes)
    run_tasks([task for task in tasks if task.done() < task.total], jobs, devices)


def _task(comparison: Comparison, name: str, directory: Path, steps: int) -> Task:
    evaluations = comparison.num_checkpoints if steps else 1  # the base model is only evaluated
    num_processes = comparison.compare.num_processes if steps else 1

    def done() -> int:
        trained = max((row["step"] for row in read_jsonl(directory / "metrics.jsonl")), default=0)
        evaluated = len(read_jsonl(directory / EVALUATIONS))
        return min(steps, trained) + EVALUATION_UNITS * evaluated

    command = [sys.executable, "-m", "stepalign.cli.worker", str(comparison.directory), str(directory)]
    total = steps + EVALUATION_UNITS * evaluations
    return Task(name, command, directory / "log.txt", total, done, num_processes)
