"""Read a run directory, finished or not, into one typed value, and say what is missing from it.

Only a directory that is no run, and files that hold something else than they should, are errors. What is absent
because the run was interrupted is listed in `Run.missing`, in words for the reader.

    run = load_run(Path("runs/micro"))
    run.seed_runs[0].checkpoints, run.missing
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stepalign.core.errors import DataError
from stepalign.core.files import read_jsonl
from stepalign.report.comparison.checks import (
    check_best,
    check_checkpoints,
    check_mapping,
    check_metrics,
    check_paired,
    check_signal,
    load_json,
    load_rows,
    load_yaml,
)
from stepalign.report.comparison.metrics import accuracy_keys, best, main_key, select

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class SeedRun:
    """One condition trained with one seed. `selected` is None until a checkpoint has validation metrics.

    `current` is False where `results.json` is older than the evaluations, which then count. `warnings` is what guards
    saw while it trained: step, metric, message.
    """

    condition: str
    seed: str
    directory: Path
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    checkpoints: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    best: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    selected: dict[str, Any] | None = None
    current: bool = True
    metrics: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    prompts: dict[str, Any] = field(default_factory=dict[str, Any])
    ledger: dict[str, Any] = field(default_factory=dict[str, Any])
    warnings: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def rollouts(self) -> list[dict[str, Any]]:
        """All training rollouts, read anew on each call: they are the bulk of a run."""
        return load_rows(self.directory / "rollouts.jsonl", "text", "problem_id")


@dataclass(frozen=True)
class Run:
    """A run directory. `keys` are its accuracy metrics; `missing` says in words what an unfinished run lacks.

    `means` are each condition's test values over seeds at the selected checkpoints, `paired` the differences of two
    conditions; both are empty where evaluations went on after they were worked out. `signal` are rollouts with the base
    model's A_t under each condition's context; None where none was looked for.
    """

    directory: Path
    config: dict[str, Any]
    config_text: str
    environment: dict[str, Any]
    problems: dict[str, list[dict[str, Any]]]
    base: dict[str, Any]
    base_validation: dict[str, Any]
    means: dict[str, dict[str, Any]]
    paired: dict[str, Any]
    seed_runs: tuple[SeedRun, ...]
    keys: tuple[str, ...]
    missing: tuple[str, ...]
    signal: tuple[dict[str, Any], ...] | None = None

    @property
    def conditions(self) -> list[str]:
        """Names of the conditions, in the order of the configuration."""
        return list(dict.fromkeys(run.condition for run in self.seed_runs))

    @property
    def main_key(self) -> str:
        """The metric that ranks conditions; "avg@k" before anything was evaluated."""
        return main_key(self.keys) or "avg@k"

    def seeds_of(self, condition: str) -> list[SeedRun]:
        return [run for run in self.seed_runs if run.condition == condition]


def load_run(directory: Path) -> Run:
    """Read the run in `directory`.

    Raises:
        DataError: it is not a run directory, or a file in it is malformed (with its line where there is one).
    """
    if not directory.is_dir():
        raise DataError(f"{directory}: no such run directory. Give the directory that `stepalign compare` wrote.")
    names = ("config.yaml", "results.json", "conditions")
    if not any((directory / name).exists() for name in names):
        raise DataError(
            f"{directory}: not a run directory; expected {', '.join(names)} in it. "
            "Give the directory that `stepalign compare` wrote."
        )
    try:
        return _load(directory)
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}).") from None


def _load(directory: Path) -> Run:
    config_path, results_path = directory / "config.yaml", directory / "results.json"
    config = load_yaml(config_path)
    if config and "conditions" not in config and not results_path.exists() and not (directory / "conditions").exists():
        raise DataError(
            f"{directory}: not the directory of a comparison; its config.yaml is that of another command. Give one "
            "that `stepalign compare` wrote; it reports a single condition, too: stepalign compare --conditions refsol."
        )
    results = load_json(results_path)
    where = f"{results_path}: "
    first = next(iter(read_jsonl(directory / "base" / "evaluations.jsonl")), {})
    base = check_metrics(f"{where}base", results.get("base") or first.get("test"))
    seed_runs = _seed_runs(directory, config, check_mapping(f"{where}conditions", results.get("conditions")))
    current = all(run.current for run in seed_runs)
    metrics = [base, *(row["test"] for run in seed_runs for row in run.checkpoints)]
    return Run(
        directory=directory,
        config=config,
        config_text=config_path.read_text("utf-8", errors="replace") if config_path.exists() else "",
        environment=load_json(directory / "environment.json"),
        problems={split: load_rows(directory / "problems" / f"{split}.jsonl", "id", "problem") for split in SPLITS},
        base=base,
        base_validation=check_metrics(
            f"{where}base_validation", results.get("base_validation") or first.get("validation")
        ),
        means=_means(where, results) if current else {},
        paired=check_paired(f"{where}paired", results.get("paired")) if current else {},
        seed_runs=seed_runs,
        keys=tuple(accuracy_keys({key: None for row in metrics for key in row})),
        missing=tuple(_missing(directory, config, seed_runs)),
        signal=_signal(directory / "signal.json"),
    )


def _seed_runs(directory: Path, config: dict[str, Any], results: dict[str, Any]) -> tuple[SeedRun, ...]:
    """One entry for each condition and seed that the configuration, the results or the directory names."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for condition in _names(config.get("conditions")):
        for seed in _names(config.get("seeds", config.get("seed"))):
            found[condition, seed] = {}
    for condition, value in results.items():
        where = f"{directory / 'results.json'}: conditions.{condition}"
        for seed, result in check_mapping(f"{where}.seeds", check_mapping(where, value).get("seeds")).items():
            found[condition, seed] = check_mapping(f"{where}.seeds.{seed}", result)
    for path in sorted(directory.glob("conditions/*/seed_*")):
        found.setdefault((path.parent.name, path.name.removeprefix("seed_")), {})
    order = list(dict.fromkeys(condition for condition, _ in found))
    keys = sorted(found, key=lambda key: (order.index(key[0]), len(key[1]), key[1]))
    return tuple(_seed_run(directory, condition, seed, found[condition, seed]) for condition, seed in keys)


def _seed_run(directory: Path, condition: str, seed: str, result: dict[str, Any]) -> SeedRun:
    path = directory / "conditions" / condition / f"seed_{seed}"
    where = f"{directory / 'results.json'}: conditions.{condition}.seeds.{seed}"
    recorded = check_checkpoints(f"{where}.checkpoints", result.get("checkpoints") or [])
    evaluated = check_checkpoints(str(path / "evaluations.jsonl"), read_jsonl(path / "evaluations.jsonl"))
    current = len(recorded) >= len(evaluated)
    by_step = {row["step"]: row for row in (recorded if current else evaluated)}
    checkpoints = [by_step[step] for step in sorted(by_step)]
    keys = accuracy_keys({key: None for row in checkpoints for key in row["test"]})
    selected = check_mapping(f"{where}.selected", result.get("selected")) if current else {}
    return SeedRun(
        condition=condition,
        seed=seed,
        directory=path,
        config=load_yaml(path / "config.yaml"),
        checkpoints=checkpoints,
        best=(check_best(f"{where}.best", result.get("best")) if current else {}) or best(checkpoints, keys),
        selected={"step": selected.get("step"), "test": check_metrics(f"{where}.selected.test", selected.get("test"))}
        if selected.get("test")
        else select(checkpoints, main_key(keys)),
        current=current,
        metrics=load_rows(path / "metrics.jsonl", "step"),
        prompts=load_json(path / "prompts.json"),
        ledger=load_json(path / "ledger.json"),
        warnings=load_rows(path / "warnings.jsonl", "step", "metric", "message"),
    )


def _means(where: str, results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    conditions = check_mapping(f"{where}conditions", results.get("conditions"))
    means: dict[str, dict[str, Any]] = {}
    for name, value in conditions.items():
        at = f"{where}conditions.{name}.selected_mean"
        entries = check_mapping(at, check_mapping(at, value).get("selected_mean"))
        intervals = {key: check_mapping(f"{at}.{key}", entry).get("ci95") for key, entry in entries.items()}
        means[name] = check_metrics(at, {"ci95": intervals})
    return means


def _signal(path: Path) -> tuple[dict[str, Any], ...] | None:
    return tuple(check_signal(str(path), load_json(path))) if path.exists() else None


def _missing(directory: Path, config: dict[str, Any], seed_runs: tuple[SeedRun, ...]) -> list[str]:
    """What an unfinished run lacks: conditions that did not start, and checkpoints that others already have."""
    lines = [] if (directory / "results.json").exists() else ["results.json is not written yet."]
    if not seed_runs:
        return [*lines, "No condition has started."]
    steps = {row["step"] for run in seed_runs for row in run.checkpoints}
    last = config.get("max_steps")
    for run in seed_runs:
        done = {row["step"] for row in run.checkpoints}
        name = f"{run.condition} (seed {run.seed})"
        if not done:
            lines.append(f"{name} has no checkpoint yet.")
        elif absent := sorted(steps - done):
            lines.append(f"{name} has no evaluation at step {', '.join(map(str, absent))}.")
        elif isinstance(last, int) and max(done) < last:
            lines.append(f"{name} stands at step {max(done)} of {last}.")
    return lines


def _names(value: Any) -> list[str]:
    """A list from the configuration, which may also be one value or a comma-separated text."""
    if value is None:
        return []
    items = value if isinstance(value, list) else str(value).split(",")
    return [str(item).strip() for item in items]
