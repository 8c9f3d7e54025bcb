"""Sampled responses from a JSONL file: `problem_id`, `sample`, `text` and perhaps `num_tokens` and `finish_reason`.

{"problem_id": "p1", "sample": 0, "text": "<answer>4</answer>", "num_tokens": 9, "finish_reason": "stop"}

    >>> rollouts = load_samples("samples.jsonl", problems)
    >>> rollouts[0].problem.id, rollouts[0].sample
    ('micro-0000', 0)
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from stepalign.core.errors import suggest
from stepalign.core.problem import Problem
from stepalign.core.rollout import FinishReason, Rollout
from stepalign.data.jsonl import Row, read_rows


def load_samples(path: str | Path, problems: Iterable[Problem]) -> list[Rollout]:
    """The rollouts in the file's order.

    Raises:
        DataError: the file or a line of it is unusable; see `parse_samples`.
    """
    return parse_samples(read_rows(path), problems)


def parse_samples(rows: Iterable[Row], problems: Iterable[Problem]) -> list[Rollout]:
    """One rollout a row. The text may be empty: a model can sample nothing.

    Raises:
        DataError: a field is missing or wrong, a `problem_id` is unknown, or a sample of a problem comes twice.
    """
    by_id = {problem.id: problem for problem in problems}
    seen: dict[tuple[str, int], str] = {}
    rollouts: list[Rollout] = []
    for row in rows:
        rollout = _rollout(row, by_id)
        key = (rollout.problem.id, rollout.sample)
        if key in seen:
            raise row.error(
                f"sample {key[1]} of problem '{key[0]}' was given before ({seen[key]}). Number each problem's samples."
            )
        seen[key] = row.where
        rollouts.append(rollout)
    return rollouts


def _rollout(row: Row, by_id: dict[str, Problem]) -> Rollout:
    problem_id = row.string("problem_id", numbers=True)
    if problem_id not in by_id:
        raise row.error(f"unknown problem_id '{problem_id}'{suggest(problem_id, by_id)}")
    return Rollout(
        problem=by_id[problem_id],
        sample=row.count("sample"),
        text=row.string("text", empty=True),
        finish_reason=_finish_reason(row),
        num_tokens=row.count("num_tokens") if row.has("num_tokens") else None,
    )


def _finish_reason(row: Row) -> FinishReason:
    value = row.string("finish_reason") if row.has("finish_reason") else "stop"
    if value != "stop" and value != "length":
        raise row.error(f"unknown finish_reason '{value}'{suggest(value, get_args(FinishReason))}")
    return value
