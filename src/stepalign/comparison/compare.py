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
from typing import Any, NamedTuple

import yaml

from stepalign.comparison.results import collect_results
from stepalign.comparison.tasks import Task, run_tasks
from stepalign.core.environment import describe_environment
from stepalign.core.errors import ConfigError, ModelError
from stepalign.core.files import read_jsonl, write_json, write_jsonl, write_text
from stepalign.core.problem import Problem
from stepalign.core.settings import names_of
from stepalign.models.devices import default_jobs, visible_devices
from stepalign.report.write import write_report
from stepalign.runs import files
from stepalign.runs.evaluations import EvaluationRow
from stepalign.runs.results import Results
from stepalign.runs.row import append_rows, read_rows
from stepalign.runs.rows import WarningRow
from stepalign.runs.world import WORLD
from stepalign.settings.groups import ComparisonSettings, EvalSettings
from stepalign.settings.run import ComparedRun
from stepalign.settings.same import check_same
from stepalign.signal.policy import load_policy
from stepalign.signal.showcase import write_signal
from stepalign.training.guards import collapse_findings

NOT_PART_OF_THE_STUDY = ("output_dir", "jobs", "controls")  # how it is run, not what is studied
MAY_GROW = ("conditions", "seeds")  # a comparison may be taken up again with more of them
EVALUATION_UNITS = 5  # one evaluation weighs as much in the progress bar as this many training steps


@dataclass(frozen=True)
class Comparison:
    """A comparison on disk. `settings` are those that all conditions share; `num_checkpoints` is per condition."""

    directory: Path
    chosen: ComparisonSettings
    settings: Mapping[str, object]
    max_steps: int
    num_checkpoints: int

    @property
    def base(self) -> Path:
        """Where the untrained model is evaluated."""
        return self.directory / files.BASE

    def seed_directory(self, condition: str, seed: int) -> Path:
        """Where a condition is trained with a seed."""
        return files.seed_directory(self.directory, condition, seed)

    @property
    def seed_directories(self) -> dict[tuple[str, int], Path]:
        """That of each condition and seed, all conditions of a seed before the next seed."""
        keys = [(name, seed) for seed in self.chosen.seeds for name in self.chosen.conditions]
        return {key: self.seed_directory(*key) for key in keys}


class Compared(NamedTuple):
    """What came of a comparison: `results.json`, where the page is, and why it has no token maps, if it has none."""

    comparison: Comparison
    results: Results
    report: Path
    no_signal: str = ""


def compare(run: ComparedRun) -> Compared:
    """Lay out, run, collect and report a comparison.

    Raises:
        ConfigError: the directory holds a comparison with other settings.
        StepalignError: a condition failed; what the others left stays.
    """
    steps = run.trainer.max_steps
    comparison = Comparison(run.directory, run.comparison, run.record, steps, run.num_checkpoints)
    lay_out(comparison, run.problems)
    write_json(comparison.directory / files.ENVIRONMENT, describe_environment())
    run_comparison(comparison)
    check_conditions_alike(comparison)
    warn_of_collapse(comparison)
    results = collect_results(comparison.base, comparison.seed_directories)
    write_json(comparison.directory / files.RESULTS, results.to_json())
    no_signal = ""
    try:
        write_signal(comparison.directory, comparison.seed_directories, lambda: load_policy(run))
    except ModelError as error:  # a model that cannot be scored costs the figure, not the report
        no_signal = str(error)
    return Compared(comparison, results, write_report(comparison.directory), no_signal)


def lay_out(comparison: Comparison, problems: Mapping[str, Sequence[Problem]]) -> None:
    """Write the comparison's problems and settings, and those of each condition and seed.

    Raises:
        ConfigError: the directory holds a comparison with other settings; nothing was changed. More conditions and
            seeds may be added to one.
    """
    directory = comparison.directory
    study = {k: v for k, v in comparison.settings.items() if k not in NOT_PART_OF_THE_STUDY}
    path = directory / files.CONFIG
    if path.exists():
        stored = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        check_same(stored, study, f"{directory} holds a comparison", may_grow=MAY_GROW)
    _check_same_problems(directory, problems)
    for split in problems:
        write_jsonl(files.problems_file(directory, split), (p.to_json() for p in problems[split]))
    write_text(path, yaml.safe_dump(study, sort_keys=True))
    own = {*names_of(ComparisonSettings), *names_of(EvalSettings), WORLD}
    shared = {k: v for k, v in study.items() if k not in own}
    shared["train_problems"] = str(files.problems_file(directory, "train").resolve())
    for (condition, seed), seed_directory in comparison.seed_directories.items():
        settings = {**shared, "condition": condition, "seed": seed, "output_dir": str(seed_directory.resolve())}
        write_text(seed_directory / files.SETTINGS, yaml.safe_dump(settings, sort_keys=True))


def _check_same_problems(directory: Path, problems: Mapping[str, Sequence[Problem]]) -> None:
    for split in problems:
        path = files.problems_file(directory, split)
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
        config = yaml.safe_load((directory / files.CONFIG).read_text(encoding="utf-8"))
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


def warn_of_collapse(comparison: Comparison) -> None:
    """Record, once, where a condition came to solve fewer test problems at all than the untrained model did."""
    untrained = read_rows(comparison.base / files.EVALUATIONS, EvaluationRow)[:1]
    for directory in comparison.seed_directories.values():
        rows = read_rows(directory / files.EVALUATIONS, EvaluationRow)
        said = {row.metric for row in read_rows(directory / files.WARNINGS, WarningRow)}
        found = [(row.step, f) for row in rows for f in collapse_findings([*untrained, row], "test")]
        new = [(step, finding) for step, finding in found if finding["metric"] not in said]
        if new:
            step, finding = new[0]
            append_rows(directory / files.WARNINGS, WarningRow(step=step, **finding))


def run_comparison(comparison: Comparison) -> None:
    """Train and evaluate all that is not finished yet."""
    chosen, devices = comparison.chosen, visible_devices()
    tasks = [
        _task(comparison, f"{condition} seed {seed}", directory, comparison.max_steps)
        for (condition, seed), directory in comparison.seed_directories.items()
    ]
    # the longest first, GRPO: with two workers it then runs beside all others; the base model is the shortest
    tasks.sort(key=lambda task: not task.name.startswith("grpo"))
    tasks.append(_task(comparison, "base model", comparison.base, steps=0))
    jobs = chosen.jobs or default_jobs(devices, chosen.num_processes)
    run_tasks([task for task in tasks if task.done() < task.total], jobs, devices)


def _task(comparison: Comparison, name: str, directory: Path, steps: int) -> Task:
    evaluations = comparison.num_checkpoints if steps else 1  # the base model is only evaluated
    num_processes = comparison.chosen.num_processes if steps else 1

    def done() -> int:
        trained = max((row["step"] for row in read_jsonl(directory / files.METRICS)), default=0)
        evaluated = len(read_jsonl(directory / files.EVALUATIONS))
        return min(steps, trained) + EVALUATION_UNITS * evaluated

    command = [sys.executable, "-m", "stepalign.cli.worker", str(comparison.directory), str(directory)]
    total = steps + EVALUATION_UNITS * evaluations
    return Task(name, command, directory / files.LOG, total, done, num_processes)
