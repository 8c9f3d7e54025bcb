"""Cases from the rollouts that a training run recorded: text, problem, context, critique and the run's own prompts.

    >>> from stepalign.runs.files import CONFIG
    >>> from stepalign.runs.reading import read_rollouts
    >>> from stepalign.runs.row import read_mapping
    >>> by_id = {problem.id: problem for problem in problems}
    >>> settings = read_mapping(trained / CONFIG)
    >>> cases = rollout_cases(trained, read_rollouts(trained), [0, 1], by_id, settings)
    >>> [list(case.contexts) for case in cases]
    [['refsol'], ['refsol']]

`settings` is the run's `config.yaml`. Looked at is the model that the run began with, as student and as teacher: for
rollouts of the first step A_t is then what training saw; for later ones take the checkpoint as the case's model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stepalign.core.errors import DataError
from stepalign.core.problem import Problem
from stepalign.feedback.critiques import judging
from stepalign.runs.files import ROLLOUTS
from stepalign.runs.rows import RolloutRow
from stepalign.signal.case import Case
from stepalign.signal.loss import loss_of_run

KEPT = ("step", "problem_id", "sample", "num_tokens", "finish_reason", "grade", "extracted", "context_status")


def rollout_cases(
    directory: Path,
    rows: Sequence[RolloutRow],
    indices: Sequence[int],
    problems: Mapping[str, Problem],
    settings: Mapping[str, Any],
) -> list[Case]:
    """The case of each rollout; its one context is the one that was recorded, if there was one.

    Args:
        directory: of a condition and seed.
        rows: of its `rollouts.jsonl`.
        indices: of those wanted, from 0.
        problems: by id.
        settings: the run's resolved settings.
    Raises:
        DataError: no such rollout, or its problem is not among the problems.
    """
    for index in indices:
        if not 0 <= index < len(rows):
            raise DataError(f"no rollout {index} in {directory / ROLLOUTS}; expected 0 to {len(rows) - 1}.")
    return [_case(directory, index, rows[index], problems, settings) for index in indices]


def _case(
    directory: Path, index: int, row: RolloutRow, problems: Mapping[str, Problem], settings: Mapping[str, Any]
) -> Case:
    if row.problem_id not in problems:
        where = f"{directory / ROLLOUTS}, rollout {index}"
        raise DataError(f"{where}: its problem '{row.problem_id}' is not there. Give the run's --problems.")
    problem, kept = problems[row.problem_id], row.to_json()
    name = settings.get("condition") or directory.parent.name or "context"
    case = Case(
        model=settings.get("model_name_or_path") or "",
        problem=problem.problem,
        response=row.text,
        contexts={str(name): row.context} if row.context is not None else {},
        prompt_templates=settings.get("prompt_templates"),
        chat_template_kwargs=settings.get("chat_template_kwargs") or {},
        teacher_chat_template_kwargs=settings.get("teacher_chat_template_kwargs") or {},
        loss=loss_of_run(settings),
        answer=problem.answer,
        solution=problem.solution,
        tests=problem.tests,
        response_token_ids=tuple(row.token_ids),
        finish_reason=row.finish_reason,
        rollout={"run": str(directory), "index": index, **{key: kept[key] for key in KEPT if key in kept}},
    )
    critique = judging(row.made())
    return case if critique is None else case.judged(critique)
