"""Runs as functions: train, compare, preflight, curate.

>>> settings = {"train_problems": problems, "per_device_train_batch_size": 2, "max_steps": 1}
>>> checkpoints = train("my.yaml", condition="refsol", output_dir="runs/refsol", **settings)
>>> [path.name for path in checkpoints], len(checkpoints.to_pandas())
(['checkpoint-1'], 1)
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from stepalign.api.given import check_for_processes, settings
from stepalign.api.results import ComparisonResult, ListResult, MappingResult, flat, points
from stepalign.core.errors import ConfigError
from stepalign.core.files import exclusive, read_jsonl
from stepalign.runs import files
from stepalign.settings.commands import COMPARE, CURATE, PREFLIGHT, TRAIN
from stepalign.settings.given import Given, given_values
from stepalign.settings.options import CommandSettings

MICRO = "micro"


def train(config: str | None = None, **given: object) -> ListResult[Path]:
    """Train one condition; started again on the same `output_dir` it goes on from its last checkpoint.

    Args:
        config: a recipe's path or the name of a shipped one.
        given: any setting of `stepalign train`, over the recipe's. Problems may be a list or a dataset, critic and
            grader functions, condition a `FeedbackFormat`.
    Returns:
        The checkpoint directories, first step first; as a table the rows of metrics.jsonl.
    Raises:
        ConfigError: an unknown setting, or no `output_dir`.
    """
    from stepalign.settings.resolve import resolve_training
    from stepalign.training.run import train as train_run

    run = resolve_training(_given(TRAIN, config, given))
    with exclusive(run.directory) if run.process_index == 0 else nullcontext():
        checkpoints = train_run(run)
    rows = read_jsonl(run.directory / files.METRICS)
    shown = f"{len(checkpoints)} checkpoint(s) of {run.training.condition}"
    if rows:
        last = {key: rows[-1].get(key) for key in ("loss", "rollouts/correct_rate")}
        numbers = ", ".join(f"{key} {value:.4g}" for key, value in last.items() if value is not None)
        shown += f"; step {rows[-1]['step']}: {numbers}"
    return ListResult(checkpoints, shown, rows, run.directory)


def compare(config: str | None = None, **given: object) -> MappingResult:
    """Train several conditions alike, evaluate their checkpoints, and report.

    Args:
        config: a recipe's path or the name of a shipped one; None: micro, unless a model is given.
        given: any setting of `stepalign compare`, as for `train`. Conditions are trained in processes of their own:
            functions and formats must stand in a file.
    Returns:
        What `results.json` holds; as a table a row for each condition, seed and checkpoint.
    Raises:
        ConfigError: an unknown or missing setting, or a function that other processes cannot find.
        StepalignError: a condition failed.
    """
    from stepalign.comparison.compare import compare as compare_run
    from stepalign.settings.resolve import resolve_comparison

    asked = _given(COMPARE, config or _micro(given), given)
    check_for_processes(asked.values)
    run = resolve_comparison(asked)
    with exclusive(run.directory, timeout_s=1):
        compared = compare_run(run)
    return compared_result(compared.results.to_json(), run.directory)


def compared_result(results: Mapping[str, Any], directory: Path) -> MappingResult:
    """`results.json` with its line and its table."""
    rows = [
        {"condition": condition, "seed": int(seed), **flat(checkpoint)}
        for condition, of in results["conditions"].items()
        for seed, one in of["seeds"].items()
        for checkpoint in one["checkpoints"]
    ]
    means: list[str] = []
    for condition, of in results["conditions"].items():
        metric = next((key for key in of["selected_mean"] if key.startswith("avg@")), None)
        if metric:
            means.append(f"{condition} {points(of['selected_mean'][metric])}")
    shown = f"avg@k on test of the checkpoints selected on validation: {', '.join(means)}"
    return ComparisonResult(results, shown, rows, directory)


def preflight(config: str | None = None, **given: object) -> MappingResult:
    """Measure on a few problems what each feedback format would teach, before anything is trained.

    Args:
        config: a recipe's path or the name of a shipped one; None: micro, unless a model is given.
        given: any setting of `stepalign preflight`, as for `train`.
    Returns:
        What `preflight.json` holds, but for its rows; as a table a row for each format.
    Raises:
        ConfigError: an unknown or missing setting.
    """
    from stepalign.settings.resolve import resolve_preflight
    from stepalign.signal.trial import preflight as preflight_run

    run = resolve_preflight(_given(PREFLIGHT, config or _micro(given), given))
    with exclusive(run.directory, timeout_s=1):
        result = preflight_run(run)
    shown = ", ".join(f"{name}: {result['formats'][name]['verdict']}" for name in result["ranking"])
    rows = [{"format": name, **flat(result["formats"][name])} for name in result["ranking"]]
    return MappingResult(result, f"preflight on {result['num_problems']} problems: {shown}", rows, run.directory)


def curate(source: object, config: str | None = None, **given: object) -> MappingResult:
    """Find problems to train on; they are written to train.jsonl, validation.jsonl and test.jsonl of `output_dir`.

    Args:
        source: as the command's, or a list or dataset of problems.
        config: a recipe's path or the name of a shipped one.
        given: any setting of `stepalign curate`.
    Returns:
        What `funnel.json` holds; as a table a row for each stage.
    Raises:
        ConfigError, DataError: a setting or the source is unusable, or too few problems passed.
    """
    from stepalign.curation.run import curate as curate_run
    from stepalign.settings.evaluation import resolve_curation
    from stepalign.settings.resolve import resolve_critic

    asked = _given(CURATE, config, {"source": source, **given})
    curation = resolve_curation(asked)
    result = curate_run(curation, resolve_critic(asked))
    shown = f"{result['num_kept']} problems of {result['num_rows']} rows"
    return MappingResult(result, shown, result["stages"], Path(str(curation.output_dir)))


def _given(command: CommandSettings, config: str | None, given: Mapping[str, object]) -> Given:
    directory = given.get("output_dir")
    if not directory:
        raise ConfigError(f"{command.name} needs output_dir: the directory for everything that it leaves.")
    return given_values(command, config, settings(given, Path(str(directory))))


def _micro(given: Mapping[str, object]) -> str | None:
    return MICRO if given.get("model_name_or_path", MICRO) == MICRO else None
