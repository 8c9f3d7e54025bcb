"""Open a run directory, finished or not, as one typed value, and say in words what is missing from it.

Only a directory that is no run, and files that hold something else than they should, are errors. Directories that
version 0.1.0 wrote are read as well.

    >>> seed_runs = read_run(run.directory).seed_runs           # of a comparison
    >>> len(seed_runs), len(seed_runs[0].checkpoints)
    (3, 7)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from stepalign.core.errors import DataError
from stepalign.core.files import read_jsonl
from stepalign.runs import files
from stepalign.runs.choose import best, selected
from stepalign.runs.evaluations import EvaluationMetrics, EvaluationRow, accuracy_keys, main_key
from stepalign.runs.results import Best, Difference, PairedDifference, Results, SeedResult
from stepalign.runs.row import read_list, read_mapping, read_rows
from stepalign.runs.rows import LedgerRow, MetricsRow, ProblemRow, RolloutRow, SignalRow, WarningRow
from stepalign.runs.world import World, world_of

COMPARED = "Give the directory that `stepalign compare` wrote."


@dataclass(frozen=True)
class SeedRun:
    """One condition trained with one seed. `selected` is None until a checkpoint has validation metrics.

    `current` is False where `results.json` is older than the evaluations, which then count. `warnings` is what guards
    saw while it trained.
    """

    condition: str
    seed: str
    directory: Path
    config: dict[str, Any]
    checkpoints: list[EvaluationRow]
    best: Mapping[str, Best]
    selected: EvaluationRow | None
    current: bool
    metrics: list[MetricsRow]
    prompts: dict[str, Any]
    ledger: LedgerRow
    warnings: list[WarningRow]

    def rollouts(self) -> list[RolloutRow]:
        """All training rollouts, read anew on each call: they are the bulk of a run."""
        return read_rows(self.directory / files.ROLLOUTS, RolloutRow)

    def at(self, step: object) -> EvaluationRow | None:
        """The checkpoint at a step."""
        return next((row for row in self.checkpoints if row.step == step), None)


@dataclass(frozen=True)
class Run:
    """The run directory of a comparison. `keys` are its accuracies; `missing` says what an unfinished run lacks.

    `means` are the intervals of each condition over seeds at the selected checkpoints, `paired` the differences of two
    conditions; both are empty where evaluations went on after they were worked out. `signal` are rollouts with the base
    model's A_t under each condition's context; None where none was looked for.
    """

    directory: Path
    config: dict[str, Any]
    config_text: str
    environment: dict[str, Any]
    problems: dict[str, list[ProblemRow]]
    base: EvaluationMetrics
    base_validation: EvaluationMetrics
    means: dict[str, EvaluationMetrics]
    paired: Mapping[str, Mapping[str, Difference]]
    seed_runs: tuple[SeedRun, ...]
    keys: tuple[str, ...]
    missing: tuple[str, ...]
    signal: tuple[SignalRow, ...] | None = None
    differences: tuple[PairedDifference, ...] = ()

    @property
    def conditions(self) -> list[str]:
        """Names of the conditions, in the order of the configuration."""
        return list(dict.fromkeys(run.condition for run in self.seed_runs))

    @property
    def main_key(self) -> str:
        """The metric that ranks conditions; "avg@k" before anything was evaluated."""
        return main_key(self.keys) or "avg@k"

    @property
    def world(self) -> World:
        """The micro world or the user's own, as `world_of` says."""
        return world_of(self.config, self.environment, *(run.config for run in self.seed_runs))

    def seeds_of(self, condition: str) -> list[SeedRun]:
        """The runs of one condition."""
        return [run for run in self.seed_runs if run.condition == condition]


def read_rollouts(directory: Path) -> list[RolloutRow]:
    """The rollouts of the training run in `directory`, which is that of one condition and seed.

    Raises:
        DataError: it has none; the message names those below it that have.
    """
    path = directory / files.ROLLOUTS
    if path.is_file():
        return read_rows(path, RolloutRow)
    below = [str(seed) for seed in files.seed_directories(directory) if (seed / files.ROLLOUTS).exists()]
    remedy = f"Take one of: {', '.join(below)}." if below else "Take the output directory of `stepalign train`."
    raise DataError(f"{directory} has no {files.ROLLOUTS}; expected the directory of one condition and seed. {remedy}")


def read_training(directory: Path) -> SeedRun:
    """The training run in `directory`, alone or one of a comparison.

    Raises:
        DataError: a file in it is malformed.
    """
    config = read_mapping(directory / files.CONFIG)
    condition = str(config.get("condition") or directory.resolve().parent.name)
    return _seed_run(directory, condition, str(config.get("seed", "0")), SeedResult())


def read_run(directory: Path) -> Run:
    """Read the comparison in `directory`.

    Raises:
        DataError: it is no such directory, or a file in it is malformed (with its line where there is one).
    """
    if not directory.is_dir():
        raise DataError(f"{directory}: no such run directory. {COMPARED}")
    names = (files.CONFIG, files.RESULTS, files.CONDITIONS)
    if not any((directory / name).exists() for name in names):
        raise DataError(f"{directory}: not a run directory; expected {', '.join(names)} in it. {COMPARED}")
    try:
        return _read(directory)
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}).") from None


def _read(directory: Path) -> Run:
    config_path, results_path = directory / files.CONFIG, directory / files.RESULTS
    config = read_mapping(config_path)
    compared = "conditions" in config or results_path.exists() or (directory / files.CONDITIONS).exists()
    if config and not compared:
        raise DataError(
            f"{directory}: not the directory of a comparison; its config.yaml is that of another command. Give one "
            "that `stepalign compare` wrote; it reports a single condition, too: stepalign compare --conditions refsol."
        )
    results = Results.read(f"{results_path}: ", read_mapping(results_path))
    untrained = read_rows(directory / files.BASE / files.EVALUATIONS, EvaluationRow)
    first = next(iter(untrained), EvaluationRow(step=0))
    base = results.base or first.test
    seed_runs = _seed_runs(directory, config, results)
    current = all(run.current for run in seed_runs)
    means = {
        name: EvaluationMetrics(ci95={key: mean.ci95 for key, mean in condition.selected_mean.items()})
        for name, condition in results.conditions.items()
    }
    return Run(
        directory=directory,
        config=config,
        config_text=config_path.read_text("utf-8", errors="replace") if config_path.exists() else "",
        environment=read_mapping(directory / files.ENVIRONMENT),
        problems={split: read_rows(files.problems_file(directory, split), ProblemRow) for split in files.SPLITS},
        base=base,
        base_validation=results.base_validation or first.validation,
        means=means if current else {},
        paired=results.paired if current else {},
        differences=tuple(results.differences) if current else (),
        seed_runs=seed_runs,
        keys=tuple(accuracy_keys([base, *(row.test for run in seed_runs for row in run.checkpoints)])),
        missing=tuple(_missing(directory, config, seed_runs)),
        signal=_signal(directory / files.SIGNAL),
    )


def _seed_runs(directory: Path, config: dict[str, Any], results: Results) -> tuple[SeedRun, ...]:
    """One entry for each condition and seed that the configuration, the results or the directory names."""
    found = {
        (condition, seed): SeedResult()
        for condition in _names(config.get("conditions"))
        for seed in _names(config.get("seeds", config.get("seed")))
    }
    for condition, result in results.conditions.items():
        found |= {(condition, seed): seed_result for seed, seed_result in result.seeds.items()}
    for path in files.seed_directories(directory):
        found.setdefault((path.parent.name, path.name.removeprefix("seed_")), SeedResult())
    order = list(dict.fromkeys(condition for condition, _ in found))
    keys = sorted(found, key=lambda key: (order.index(key[0]), len(key[1]), key[1]))
    places = {key: files.seed_directory(directory, *key) for key in keys}
    return tuple(_seed_run(places[key], *key, found[key]) for key in keys)


def _seed_run(path: Path, condition: str, seed: str, result: SeedResult) -> SeedRun:
    evaluations = path / files.EVALUATIONS
    evaluated = read_list(str(evaluations), read_jsonl(evaluations), EvaluationRow)
    current = len(result.checkpoints) >= len(evaluated)
    by_step = {row.step: row for row in (result.checkpoints if current else evaluated)}
    checkpoints = [by_step[step] for step in sorted(by_step)]
    keys = accuracy_keys(row.on(split) for row in checkpoints for split in ("test", "validation"))
    return SeedRun(
        condition=condition,
        seed=seed,
        directory=path,
        config=read_mapping(path / files.CONFIG),
        checkpoints=checkpoints,
        best=(result.best if current else {}) or best(checkpoints, keys),
        selected=(result.selected if current else None) or selected(checkpoints, main_key(keys)),
        current=current,
        metrics=read_rows(path / files.METRICS, MetricsRow),
        prompts=read_mapping(path / files.PROMPTS),
        ledger=LedgerRow.read(str(path / files.LEDGER), read_mapping(path / files.LEDGER)),
        warnings=read_rows(path / files.WARNINGS, WarningRow),
    )


def _signal(path: Path) -> tuple[SignalRow, ...] | None:
    if not path.exists():
        return None
    rollouts: object = read_mapping(path).get("rollouts") or []
    if not isinstance(rollouts, list):
        raise DataError(f"{path}: expected a list as 'rollouts'; got {type(rollouts).__name__}.")
    entries = enumerate(cast("list[object]", rollouts), start=1)
    return tuple(SignalRow.read(f"{path}, rollout {number}", entry) for number, entry in entries)


def _missing(directory: Path, config: dict[str, Any], seed_runs: tuple[SeedRun, ...]) -> list[str]:
    """What an unfinished run lacks: conditions that did not start, and checkpoints that others already have."""
    lines = [] if (directory / files.RESULTS).exists() else [f"{files.RESULTS} is not written yet."]
    if not seed_runs:
        return [*lines, "No condition has started."]
    steps = {row.step for run in seed_runs for row in run.checkpoints}
    last = config.get("max_steps")
    for run in seed_runs:
        done = {row.step for row in run.checkpoints}
        name = f"{run.condition} (seed {run.seed})"
        if not done:
            lines.append(f"{name} has no checkpoint yet.")
        elif absent := sorted(steps - done):
            lines.append(f"{name} has no evaluation at step {', '.join(map(str, absent))}.")
        elif isinstance(last, int) and max(done) < last:
            lines.append(f"{name} stands at step {max(done)} of {last}.")
    return lines


def _names(value: object) -> list[str]:
    """A list from the configuration, which may also be one value or a comma-separated text."""
    if value is None:
        return []
    items = cast("list[object]", value) if isinstance(value, list) else str(value).split(",")
    return [str(item).strip() for item in items]
