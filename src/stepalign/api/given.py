"""Objects where settings hold names and paths: problems become a file of the run's directory, functions get a name.

>>> settings({"train_problems": problems, "grader": len}, Path("runs/mine"))
{'train_problems': 'runs/mine/problems/train.jsonl', 'grader': 'builtins:len'}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from stepalign.core.errors import ConfigError, DataError
from stepalign.core.files import read_jsonl, write_jsonl
from stepalign.core.own import is_found_elsewhere, name_of
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.data.jsonl import Row
from stepalign.data.problems import load_problems, parse_problems
from stepalign.data.samples import load_samples, parse_samples
from stepalign.feedback.formats import FeedbackFormat, feedback_class, feedback_names, register_feedback
from stepalign.runs.files import problems_file

OWN = ("critic", "grader")
PROBLEMS = ("train_problems", "validation_problems", "test_problems", "problems", "source")


def settings(values: Mapping[str, object], directory: Path | None) -> dict[str, object]:
    """The values as settings can hold them.

    Args:
        values: of keyword arguments.
        directory: of the run, where problems that are no file are written.
    Raises:
        ConfigError: there is no directory, or it holds other problems.
        DataError: what was given are no problems.
    """
    plain: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Path):
            plain[name] = str(value)
        elif name in OWN and value is not None and not isinstance(value, str):
            plain[name] = name_of(value)
        elif name in PROBLEMS and value is not None and not isinstance(value, str):
            plain[name] = str(_kept(value, name, directory))
        elif isinstance(value, list | tuple) or name == "condition":
            plain[name] = _conditions(cast("object", value))
        else:
            plain[name] = value
    return plain


def problems_of(source: object) -> list[Problem]:
    """Problems from a path, or from a list or dataset of problems or dictionaries.

    Raises:
        DataError: it is none of these, or a row of it is no problem.
    """
    if isinstance(source, str | Path):
        return load_problems(source)
    items = _items(source, "problems")
    rows = [item.to_json() if isinstance(item, Problem) else item for item in items]
    return parse_problems(Row(f"row {i + 1} of the problems", row) for i, row in enumerate(rows))


def rollouts_of(source: object, problems: object = None) -> list[Rollout]:
    """Rollouts from a path, from a list of dictionaries, or as they are.

    Raises:
        DataError: it is none of these, a row is no response, or the problems are missing.
    """
    if isinstance(source, str | Path):
        return load_samples(source, _needed(problems))
    items = _items(source, "rollouts")
    if all(isinstance(item, Rollout) for item in items):
        return items
    rows = [item.to_json() if isinstance(item, Rollout) else item for item in items]
    return parse_samples([Row(f"row {i + 1} of the rollouts", row) for i, row in enumerate(rows)], _needed(problems))


def check_for_processes(values: Mapping[str, object]) -> None:
    """Raises ConfigError where a comparison's processes could not find what was handed over."""
    for name in OWN:
        own = values.get(name)
        if isinstance(own, str) and not is_found_elsewhere(own):
            raise ConfigError(
                f"{name} {own}: compare trains in processes of its own, which cannot see it. Put it into a file and "
                f'give {name}="file.py:{own.rpartition(":")[2]}".'
            )
    conditions = cast("list[str]", values.get("conditions") or [])
    for condition in (name for name in conditions if name in feedback_names()):
        if feedback_class(condition).__module__ == "__main__":
            raise ConfigError(
                f"condition {condition}: compare trains in processes of its own, which cannot see it. Put its class "
                'into a file and give plugins=["file.py"].'
            )


def _kept(source: object, name: str, directory: Path | None) -> Path:
    """The file of the problems in the run's directory."""
    if directory is None:
        raise ConfigError(f"{name} are no file, and are kept in output_dir; got none. Set it.")
    rows = [problem.to_json() for problem in problems_of(source)]
    path = problems_file(directory, name.removesuffix("_problems"))
    if path.exists() and read_jsonl(path) != rows:
        raise ConfigError(
            f"{directory} holds a run on other problems: they differ from {path}. Use another output_dir."
        )
    write_jsonl(path, rows)
    return path


def _conditions(value: object) -> object:
    """Names in the place of formats that were handed over, which are registered under theirs."""
    if isinstance(value, list | tuple):
        return [_conditions(item) for item in cast("Iterable[object]", value)]
    if isinstance(value, type) and issubclass(value, FeedbackFormat):
        name = value.name or value.__name__.lower()
        register_feedback(name)(value)
        return name
    return value


def _items(source: object, what: str) -> list[Any]:
    if isinstance(source, Mapping) or not isinstance(source, Iterable):
        raise DataError(f"{what}: got a {type(source).__name__}; expected a path, a list or a dataset.")
    items = list(cast("Iterable[Any]", source))
    for i, item in enumerate(items):
        if not isinstance(item, Mapping | Problem | Rollout):
            raise DataError(f"row {i + 1} of the {what}: got a {type(item).__name__}; expected a dictionary.")
    return items


def _needed(problems: object) -> list[Problem]:
    if problems is None:
        raise DataError("rollouts that are no Rollout objects need their problems; got none. Give problems, too.")
    return problems_of(problems)
