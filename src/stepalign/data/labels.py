"""Solutions in which somebody marked the first wrong step: rows of our own form, and of three public datasets.

{"id": "p1", "problem": "2 + 2 + 1?", "answer": "5", "solution": "2 + 2 + 1 = 5", "steps": ["2 + 2 = 4", "4 + 1 = 6"],
 "first_wrong_step": 2, "reason": "4 + 1 is 5."}

    >>> row = {"id": "p1", "problem": "2 + 2 + 1?", "answer": 5, "steps": ["2 + 2 = 4", "4 + 1 = 6"]}
    >>> (label,) = load_labels([{**row, "first_wrong_step": 2}])
    >>> label.rollout.text, label.first_wrong_step, label.rollout.problem.answer
    ('2 + 2 = 4\\n4 + 1 = 6', 2, '5')

`first_wrong_step` counts from 1 and is null where no step is wrong. `answer` may be empty where nobody knows it;
`solution`, `reason` and `correction` (right steps in the place of the first wrong one and those behind) may be missing.
Where a program is asked for, a row has tests (docs/code.md) in the place of `answer`, and its steps are lines.
Rows of other datasets are known by their columns: Qwen/ProcessBench, MR-GSM8K (arXiv 2312.17080) and BIG-Bench Mistake
(arXiv 2311.08516); the two that count from 0 are converted. So are rows that another trainer logged
(`stepalign.data.logged`), with the columns first_wrong_step and an answer beside them: the steps are the response's.

The text of a rollout is its `response`, where a row has one: it must have these steps. Else it is the steps, a line
each, as such solvers write them; with a blank line between them where a step has lines of its own, and in step tags
where a step has blank lines, too.
"""

from __future__ import annotations

import ast
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, cast

from stepalign.core.errors import DataError
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.core.text import clean_value
from stepalign.data.label import Label, written
from stepalign.data.logged import RolloutsFormat, named, parse_rollouts, recognized
from stepalign.data.row import MISSING, Row, all_of, show
from stepalign.data.samples import read_rows
from stepalign.data.sources import processbench
from stepalign.data.tests import TestColumns, read_tests

log = logging.getLogger(__name__)

FORM = "id, problem, answer, steps and first_wrong_step (docs/localize.md)"
TESTS = TestColumns(("test", "tests"), entry_point="entry_point", setup=("setup",))
NOT_THERE = ("n/a", "none", "null", "nan", "")


class Shape(NamedTuple):
    """Rows of one kind: what they are called, the columns that tell them, and how one is read."""

    name: str
    columns: tuple[str, ...]
    to_label: Callable[[Row], Label]


def load_labels(
    source: object, most: int | None = None, format: RolloutsFormat | None = None, columns: Iterable[str] = ()
) -> list[Label]:
    """The labelled rollouts of a source, in its order.

    Args:
        source: a path or what else `load_problems` reads.
        most: read so many rows; None: all.
        format, columns: of rows that another trainer logged, as for `load_rollouts`.
    Raises:
        DataError: no row, columns of another kind, or rows that are wrong; the message names the first ten.
    """
    rows = read_rows(source)
    if most is not None:
        rows = rows[:most]
    rows = named(rows, columns)
    shape = _shape(rows[0]) if format is None else _logged(format)
    if shape is not OWN:
        log.warning("%s: rows as in %s", rows[0].where.rpartition(",")[0] or "labels", shape.name)
    labels: list[Label] = []
    errors: list[DataError] = []
    seen: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        try:
            _check_columns(row, shape)
            label = _with_id(shape.to_label(Row(row.where, clean_value(row.values))), number)
            name = label.rollout.problem.id
            if name in seen:
                raise row.error(f"id '{name}' was used before ({seen[name]}). Give every rollout its own id.")
            seen[name] = row.where
            labels.append(label)
        except DataError as error:
            errors.append(error)
    if errors:
        raise all_of(errors, rows[0].where.rpartition(",")[0], len(rows))
    return labels


def _shape(row: Row) -> Shape:
    known = recognized(row)
    if known is not None and row.value("first_wrong_step") is not MISSING:
        return _logged(known)
    missing = [len(_missing(row, shape)) for shape in SHAPES]
    near = SHAPES[missing.index(min(missing))]
    if min(missing) > len(near.columns) / 2:
        near = OWN
    _check_columns(row, near)
    return near


def _check_columns(row: Row, shape: Shape) -> None:
    missing = ", ".join(f"'{column}'" for column in _missing(row, shape))
    if missing:
        has = ", ".join(f"'{column}'" for column in row.values) or "no columns"
        kind = "a labelled rollout" if shape is OWN else f"a row as in {shape.name}"
        raise row.error(f"{kind} lacks {missing}; got {has}. Expected {FORM}.")


def _missing(row: Row, shape: Shape) -> list[str]:
    is_program = shape is OWN and bool(TESTS.of(row))  # which has no answer
    return [c for c in shape.columns if c not in row.values and not (c == "answer" and is_program)]


def _with_id(label: Label, number: int) -> Label:
    """Rows without ids get their numbers."""
    rollout = label.rollout
    problem = replace(rollout.problem, id=rollout.problem.id or f"labels-{number:04}")
    return replace(label, rollout=replace(rollout, problem=problem))


def _own(row: Row) -> Label:
    is_program = bool(TESTS.of(row))
    problem = Problem(
        row.string("id", numbers=True),
        row.string("problem"),
        "" if is_program else _optional(row, "answer"),
        _optional(row, "solution") or None,
        tests=read_tests(row, TESTS) if is_program else None,
    )
    correction = _steps(row, "correction", is_program) if row.has("correction") else []
    steps, place = _steps(row, "steps", is_program), _place(row, "first_wrong_step")
    label = _label(row, problem, steps, place, _optional(row, "reason"), correction)
    if row.has("response"):
        label = replace(label, rollout=replace(label.rollout, text=row.string("response")))
        if [step.rstrip() if is_program else step.strip() for step in label.steps] != steps:
            raise row.error(f"'response' has {len(label.steps)} steps, which are not its 'steps'. Correct one of them.")
    if row.value("finish_reason") == "length":
        label = replace(label, rollout=replace(label.rollout, finish_reason="length"))
    return label


def _logged(format: RolloutsFormat) -> Shape:
    return Shape("a log of another trainer", ("first_wrong_step",), partial(_of_log, format))


def _of_log(format: RolloutsFormat, row: Row) -> Label:
    """The one rollout of a row, numbered as a label."""
    rollouts = parse_rollouts([row], None, format)
    if len(rollouts) != 1:
        raise row.error(f"it holds {len(rollouts)} rollouts; expected one a row beside its first_wrong_step.")
    rollout = replace(rollouts[0], problem=replace(rollouts[0].problem, id=""))
    label = Label(rollout, _place(row, "first_wrong_step"), _optional(row, "reason").strip())
    _check_place(row, label.first_wrong_step, len(label.steps))
    return label


def _of_processbench(row: Row) -> Label:
    problem = processbench.to_problem(row)
    return _label(row, problem, _steps(row, "steps"), cast("int | None", problem.meta["first_wrong_step"]))


def _of_mr_gsm8k(row: Row) -> Label:
    """Wrong solutions name a step from 1; right ones say N/A."""
    name, key = row.string("uuid", numbers=True), "model_output_solution_first_error_step"
    said = row.value(key)
    is_named = not isinstance(said, str) or said.strip().casefold() not in NOT_THERE
    first_wrong = (
        _whole(row, key, int(said) if isinstance(said, str) and said.isdecimal() else said) if is_named else None
    )
    verdict = row.value("model_output_solution_correctness")
    if verdict == "wrong" and first_wrong is None:
        raise row.error(f"the solution is wrong, and '{key}' is {show(said)}; expected a step. Remove the line.")
    reason = _optional(row, "model_output_solution_first_error_reason")
    solution = _optional(row, "ground_truth_solution") or None
    problem = Problem(name, row.string("question"), row.string("ground_truth_answer", numbers=True), solution)
    reason = "" if reason.strip().casefold() in NOT_THERE else reason
    return _label(row, problem, _steps(row, "model_output_steps"), first_wrong, reason)


def _of_big_bench_mistake(row: Row) -> Label:
    """The right answer is `target`; `answer` is the solver's."""
    steps, key = _steps(row, "steps"), "mistake_index"
    index = row.value(key)
    if index is not None and not 0 <= _whole(row, key, index) < len(steps):
        raise row.error(f"'{key}' is {show(index)}; expected null or the number of one of {len(steps)} steps, from 0.")
    first_wrong = None if index is None else _whole(row, key, index) + 1
    problem = Problem(_optional(row, "id"), row.string("input"), row.string("target", numbers=True))
    return _label(row, problem, steps, first_wrong)


OWN = Shape("our own", ("id", "problem", "answer", "steps", "first_wrong_step"), _own)
SHAPES = (
    OWN,
    Shape("Qwen/ProcessBench", ("id", "problem", "steps", "label", "final_answer_correct"), _of_processbench),
    Shape(
        "MR-GSM8K",
        ("uuid", "question", "ground_truth_answer", "model_output_steps", "model_output_solution_first_error_step"),
        _of_mr_gsm8k,
    ),
    Shape("BIG-Bench Mistake", ("input", "steps", "target", "mistake_index"), _of_big_bench_mistake),
)


def _label(
    row: Row,
    problem: Problem,
    steps: Sequence[str],
    first_wrong: int | None,
    reason: str = "",
    correction: Sequence[str] = (),
) -> Label:
    _check_place(row, first_wrong, len(steps))
    text = written(problem, steps)
    if text is None:
        raise row.error("the steps cannot be told apart in one text: one has tags of steps or answers. Take them out.")
    return Label(Rollout(problem, 0, text), first_wrong, reason.strip(), tuple(correction))


def _check_place(row: Row, first_wrong: int | None, num_steps: int) -> None:
    if first_wrong is not None and not 1 <= first_wrong <= num_steps:
        raise row.error(
            f"the first wrong step is {first_wrong}; expected 1 to {num_steps}, the number of steps, or null where "
            "none is wrong. Steps count from 1."
        )


def _steps(row: Row, key: str, keeps_indent: bool = False) -> list[str]:
    value = row.value(key)
    if isinstance(value, str) and value.lstrip().startswith("["):  # as a table holds it
        try:
            value = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            raise row.error(f"'{key}' is {show(value)}; expected a list of texts. Correct the line.") from None
    items = list(cast("Sequence[object]", value)) if isinstance(value, list | tuple) else []
    if not items or not all(isinstance(item, str) and item.strip() for item in items):
        got = "is empty" if value == [] else f"is {show(value)}" if not items else "has a step that is empty or no text"
        raise row.error(f"'{key}' {got}; expected a list of texts, one a step. Correct the line.")
    return [str(item).rstrip() if keeps_indent else str(item).strip() for item in items]


def _place(row: Row, key: str) -> int | None:
    return None if (value := row.value(key)) is None else _whole(row, key, value)


def _whole(row: Row, key: str, value: object) -> int:
    if isinstance(value, float) and value.is_integer():  # a column of numbers with gaps, in a table
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise row.error(f"'{key}' is {show(value)}; expected the number of a step, or null where none is wrong.")
    return value


def _optional(row: Row, key: str) -> str:
    return row.string(key, numbers=True, empty=True) if row.has(key) else ""
