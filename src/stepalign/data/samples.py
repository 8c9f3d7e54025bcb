"""Sampled responses from data of any shape: `problem_id`, `sample`, `text` and perhaps `num_tokens`, `finish_reason`.

{"problem_id": "p1", "sample": 0, "text": "<answer>4</answer>", "num_tokens": 9, "finish_reason": "stop"}

    >>> rollouts = load_samples("samples.jsonl", problems)
    >>> rollouts[0].problem.id, rollouts[0].sample
    ('micro-0000', 0)

The text may also be called response, completion, output or generation, the problem's id id or uid. Samples without
numbers are numbered for each problem, in the order of the rows. In a run's rollouts.jsonl every step begins with sample
0 again: there the numbers go on from those of the steps before.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from stepalign.core.errors import DataError, suggest
from stepalign.core.problem import Problem
from stepalign.core.rollout import FinishReason, Rollout
from stepalign.data.columns import plain_name
from stepalign.data.row import Row, all_of
from stepalign.data.sources.kinds import Kind
from stepalign.data.sources.place import Place
from stepalign.data.sources.stream import mended_row, said_of_mended

log = logging.getLogger(__name__)

NAMES = {
    "problem_id": ("problem_id", "id", "uid", "question_id", "unique_id"),
    "text": ("text", "response", "completion", "output", "generation"),
    "sample": ("sample", "sample_id", "sample_index"),
}
COUNTS = (*NAMES["sample"], "num_tokens", "step")


def load_samples(source: object, problems: Iterable[Problem]) -> list[Rollout]:
    """The rollouts in the source's order.

    Raises:
        DataError: the source cannot be read, or rows of it; see `parse_samples`.
    """
    return parse_samples(read_rows(source), problems)


def read_rows(source: object) -> list[Row]:
    """The rows of a source, whatever their columns.

    Raises:
        DataError: it cannot be read, holds no row, or rows of it are none.
    """
    rows, _, name, kind = Place.of(source).open()
    found = list(rows)
    errors = [row for row in found if isinstance(row, DataError)]
    if errors:
        raise all_of(errors, name, len(found))
    if not found:
        raise DataError(f"{name}: got an empty file; expected one JSON object a line.")
    kept = [row for row in found if isinstance(row, Row)]
    return [_typed(row) for row in kept] if kind is Kind.TABLE else kept


def _typed(row: Row) -> Row:
    """A row of a table of text: counts as numbers, what is empty as null."""
    values = {
        key: int(value) if plain_name(key) in COUNTS and value.isdecimal() else value or None
        for key, value in row.values.items()
    }
    return Row(row.where, values | {key: "" for key in values if plain_name(key) in NAMES["text"] and not values[key]})


def parse_samples(rows: Sequence[Row], problems: Iterable[Problem]) -> list[Rollout]:
    """One rollout a row. The text may be empty: a model can sample nothing.

    Raises:
        DataError: in some rows a field is missing or wrong, a `problem_id` is unknown, or a sample of a problem comes
            twice; the message names the first ten.
    """
    by_id = {problem.id: problem for problem in problems}
    columns = _columns(rows)
    numbers = _Numbers()
    rollouts: list[Rollout] = []
    errors: list[DataError] = []
    mended: Counter[str] = Counter()
    for row in rows:
        try:
            rollouts.append(numbers.numbered(_rollout(mended_row(row, mended), columns, by_id), row, columns["sample"]))
        except DataError as error:
            errors.append(error)
    if errors:
        raise all_of(errors, rows[0].where.rpartition(",")[0], len(rows))
    if mended:
        log.warning("samples: %s", said_of_mended(mended))
    return rollouts


def _columns(rows: Sequence[Row]) -> dict[str, str]:
    """The column of each field; its own name where no other is there."""
    by_name: dict[str, str] = {}
    for row in rows[:100]:
        for column in row.values:
            name = plain_name(column)
            if name not in by_name or column == name:
                by_name[name] = column
    return {field: next((by_name[name] for name in names if name in by_name), field) for field, names in NAMES.items()}


class _Numbers:
    """The samples' numbers: those given, counted on over the steps of a run, or made where there are none."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, Any, int], str] = {}
        self._next: Counter[str] = Counter()
        self._steps: dict[str, Any] = {}
        self._before: Counter[str] = Counter()

    def numbered(self, rollout: Rollout, row: Row, column: str) -> Rollout:
        """The rollout with its number.

        Raises:
            DataError: the same sample of a problem was there before, in the same step.
        """
        problem, step = rollout.problem.id, row.values.get("step")
        if self._steps.setdefault(problem, step) != step:  # a later step counts on from those before
            self._before[problem], self._steps[problem] = self._next[problem], step
        before = self._before[problem]
        sample = self._next[problem] if rollout.sample < 0 else before + rollout.sample
        key = (problem, step, sample - before)
        if key in self._seen:
            raise row.error(
                f"{column} {rollout.sample} of problem '{problem}' was given before ({self._seen[key]}). Number each "
                "problem's samples."
            )
        self._seen[key] = row.where
        self._next[problem] = max(self._next[problem], sample + 1)
        return rollout if sample == rollout.sample else replace(rollout, sample=sample)


def _rollout(row: Row, columns: Mapping[str, str], by_id: Mapping[str, Problem]) -> Rollout:
    """The row's rollout; its sample is -1 where it has no number."""
    problem_id = row.string(columns["problem_id"], numbers=True)
    if problem_id not in by_id:
        raise row.error(f"unknown problem_id '{problem_id}'{suggest(problem_id, by_id)}")
    return Rollout(
        problem=by_id[problem_id],
        sample=row.count(columns["sample"]) if row.has(columns["sample"]) else -1,
        text=row.string(columns["text"], empty=True),
        finish_reason=_finish_reason(row),
        num_tokens=row.count("num_tokens") if row.has("num_tokens") else None,
    )


def _finish_reason(row: Row) -> FinishReason:
    value = row.string("finish_reason") if row.has("finish_reason") else "stop"
    if value != "stop" and value != "length":
        raise row.error(f"unknown finish_reason '{value}'{suggest(value, get_args(FinishReason))}")
    return value
