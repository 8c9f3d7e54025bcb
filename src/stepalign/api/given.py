"""Objects where settings hold names and paths: problems become a file of the run's directory, functions get a name.

>>> settings({"train_problems": problems, "grader": len}, Path("runs/mine"))
{'train_problems': 'runs/mine/problems/train.jsonl', 'grader': 'builtins:len'}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from stepalign.core.errors import ConfigError
from stepalign.core.files import read_jsonl, write_jsonl
from stepalign.core.own import is_found_elsewhere, name_of
from stepalign.core.rollout import Rollout
from stepalign.data.logged import load_rollouts
from stepalign.data.problems import Columns, load_problems
from stepalign.feedback.formats import FeedbackFormat, feedback_class, feedback_names, register_feedback
from stepalign.runs.files import problems_file
from stepalign.settings.command_groups import LogSettings

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
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
    if any(plain.get(name) is not None and not isinstance(plain[name], str) for name in PROBLEMS):
        columns = plain.pop("columns", ())  # what is written has our own columns
        plain |= {name: str(_kept(plain[name], name, directory, columns)) for name in PROBLEMS if name in plain}
    for name in OWN:
        if plain.get(name) is not None and not isinstance(plain[name], str):
            plain[name] = name_of(plain[name])
    return plain | {name: _conditions(plain[name]) for name in ("condition", "conditions") if name in plain}


def rollouts_of(
    source: object, problems: object = None, columns: object = (), log: LogSettings | None = None
) -> list[Rollout]:
    """Rollouts as they are, or from what `load_rollouts` reads.

    Args:
        source: rollouts, or a path, a list of dictionaries or a dataset.
        problems: what `load_problems` reads; needed where the rollouts have none.
        columns: of the problems.
        log: whose rows they are, and how their columns are called.
    Raises:
        DataError: the rows cannot be read, or the problems are missing.
    """
    if isinstance(source, list | tuple) and all(isinstance(item, Rollout) for item in cast("list[object]", source)):
        return list(cast("list[Rollout]", source))
    known = None if problems is None else load_problems(problems, cast("Columns", columns), likely="test")
    log = log or LogSettings()
    return load_rollouts(source, known, log.rollouts_format, log.sample_columns)


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


def _kept(source: object, name: str, directory: Path | None, columns: object) -> Path:
    """The file of the problems in the run's directory."""
    if directory is None:
        raise ConfigError(f"{name} are no file, and are kept in output_dir; got none. Set it.")
    split = name.removesuffix("_problems")
    rows = [problem.to_json() for problem in load_problems(source, cast("Columns", columns), likely=split)]
    path = problems_file(directory, split)
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
