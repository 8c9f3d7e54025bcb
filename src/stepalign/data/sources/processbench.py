"""Qwen/ProcessBench: 3,400 model solutions in steps, each with the first wrong step as experts marked it.

Columns: id ("gsm8k-0"), generator, problem, steps (a list of texts), final_answer_correct, label: -1 where no step is
wrong, else the first wrong step counted from 0. One split a benchmark: gsm8k, math, olympiadbench, omnimath.
Source: arXiv 2412.06559, https://huggingface.co/datasets/Qwen/ProcessBench.

There is no column of answers. Where the final answer is right, the last `\\boxed{}` of the last step is the answer;
elsewhere it is empty, and `stepalign curate` drops the row. What the dataset is for are its rollouts:

    >>> row = Row("row 1", {"id": "math-0", "problem": "2 + 2?", "steps": ["2 + 2 = 5", "So 5"], "label": 0,
    ...                     "final_answer_correct": False})
    >>> rollout = to_rollout(row)
    >>> rollout.problem.meta["first_wrong_step"]        # counted from 1; None: all right
    1
"""

from __future__ import annotations

from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.core.trace import render_steps
from stepalign.data.answers import last_boxed
from stepalign.data.row import Row
from stepalign.data.sources.source import Source


def to_problem(row: Row) -> Problem:
    """`meta` has `first_wrong_step` (from 1, None: all right), `final_answer_correct` and `generator`.

    Raises:
        DataError: steps, label or final_answer_correct are not what the dataset has.
    """
    steps, label = _steps(row), row.values.get("label")
    if not isinstance(label, int) or isinstance(label, bool) or not -1 <= label < len(steps):
        raise row.error(f"'label' is {label!r}; expected -1 or the number of a step, from 0.")
    is_correct = row.values.get("final_answer_correct")
    if not isinstance(is_correct, bool):
        raise row.error(f"'final_answer_correct' is {is_correct!r}; expected true or false.")
    return Problem(
        id=f"processbench-{row.string('id', numbers=True)}",
        problem=row.string("problem"),
        answer=last_boxed(steps[-1]) if is_correct else "",
        meta={
            "first_wrong_step": None if label == -1 else label + 1,
            "final_answer_correct": is_correct,
            "generator": row.values.get("generator"),
        },
    )


def to_rollout(row: Row) -> Rollout:
    """The solution as a trace in step tags; the last step's box, if any, is its answer as well."""
    steps = _steps(row)
    return Rollout(to_problem(row), 0, render_steps(steps, last_boxed(steps[-1]) or None))


def _steps(row: Row) -> list[str]:
    steps = row.values.get("steps")
    if not isinstance(steps, list) or not steps or not all(isinstance(step, str) for step in steps):
        raise row.error("'steps' is no list of texts. Expected rows as in Qwen/ProcessBench.")
    return steps


SOURCE = Source(
    name="processbench",
    hub="Qwen/ProcessBench",
    columns=("id", "problem", "steps", "label", "final_answer_correct"),
    to_problem=to_problem,
    split="math",
    splits=("gsm8k", "math", "olympiadbench", "omnimath"),
)
