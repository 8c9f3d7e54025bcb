"""Cases from the rollouts that a training run recorded: text, problem, context, critique and the run's own prompts.

    >>> settings = run_settings(trained)
    >>> cases = rollout_cases(trained, [0, 1], {problem.id: problem for problem in problems}, settings)
    >>> [case.model == settings["model_name_or_path"] for case in cases]
    [True, True]

`settings` is the run's `config.yaml`. Looked at is the model that the run began with, as student and as teacher: for
rollouts of the first step A_t is then what training saw; for later ones take the checkpoint as the case's model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from stepalign.core.errors import DataError
from stepalign.core.files import read_jsonl
from stepalign.core.problem import Problem
from stepalign.feedback.critiques import critique_in, judging
from stepalign.signal.case import Case

ROLLOUTS = "rollouts.jsonl"
KEPT = ("step", "problem_id", "sample", "num_tokens", "finish_reason", "grade", "extracted", "context_status")


def check_run(directory: Path) -> None:
    """Raises DataError where the directory has no rollouts, naming those below it that have."""
    if (directory / ROLLOUTS).is_file():
        return
    below = [str(path.parent) for path in sorted(directory.glob(f"conditions/*/seed_*/{ROLLOUTS}"))]
    remedy = f"Take one of: {', '.join(below)}." if below else "Take the output directory of `stepalign train`."
    raise DataError(f"{directory} has no {ROLLOUTS}; expected the directory of one condition and seed. {remedy}")


def run_settings(directory: Path) -> dict[str, Any]:
    """The run's resolved settings, `config.yaml`; empty where there is none.

    Raises:
        DataError: the file is no YAML mapping.
    """
    path = directory / "config.yaml"
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not YAML ({' '.join(str(error).split())}).") from None
    if not isinstance(settings, dict):
        raise DataError(f"{path}: got a {type(settings).__name__}; expected the settings of a run.")
    return settings


def rollout_cases(
    directory: Path, indices: Sequence[int], problems: Mapping[str, Problem], settings: Mapping[str, Any]
) -> list[Case]:
    """The case of each rollout; its one context is the one that was recorded, if there was one.

    Args:
        directory: of a condition and seed.
        indices: rows of `rollouts.jsonl`, from 0.
        problems: by id.
        settings: the run's resolved settings.
    Raises:
        DataError: no such rollout, or its problem is not among the problems.
    """
    rows = read_jsonl(directory / ROLLOUTS)
    for index in indices:
        if not 0 <= index < len(rows):
            raise DataError(f"no rollout {index} in {directory / ROLLOUTS}; expected 0 to {len(rows) - 1}.")
    return [_case(directory, index, rows[index], problems, settings) for index in indices]


def _case(
    directory: Path, index: int, row: dict[str, Any], problems: Mapping[str, Problem], settings: Mapping[str, Any]
) -> Case:
    where = f"{directory / ROLLOUTS}, rollout {index}"
    for key in ("text", "problem_id"):
        if key not in row:
            raise DataError(f"{where}: '{key}' is missing. Was the file written by another program?")
    if row["problem_id"] not in problems:
        raise DataError(f"{where}: its problem '{row['problem_id']}' is not there. Give the run's --problems.")
    problem = problems[row["problem_id"]]
    name = settings.get("condition") or directory.parent.name or "context"
    case = Case(
        model=settings.get("model_name_or_path") or "",
        problem=problem.problem,
        response=row["text"],
        contexts={str(name): row["context"]} if row.get("context") is not None else {},
        prompt_templates=settings.get("prompt_templates"),
        chat_template_kwargs=settings.get("chat_template_kwargs") or {},
        teacher_chat_template_kwargs=settings.get("teacher_chat_template_kwargs") or {},
        answer=problem.answer,
        solution=problem.solution,
        response_token_ids=tuple(row.get("token_ids") or ()),
        finish_reason=row.get("finish_reason", "stop"),
        rollout={"run": str(directory), "index": index, **{key: row[key] for key in KEPT if key in row}},
    )
    critique = judging(critique_in(row.get("critique")))
    return case if critique is None else case.judged(critique)
