"""openai/gsm8k: 7,473 training and 1,319 test problems of grade-school arithmetic.

Columns: question, and answer: a solution with calculator notes (`<<48/2=24>>`) whose last line is `#### 24`.
Source: arXiv 2110.14168, https://huggingface.co/datasets/openai/gsm8k.
"""

from __future__ import annotations

from stepalign.core.problem import Problem
from stepalign.data.jsonl import Row
from stepalign.data.sources.source import Source, text_id

MARK = "####"


def to_problem(row: Row) -> Problem:
    """The solution keeps its notes and loses the line of the answer; the thousands commas of the answer go.

    Raises:
        DataError: the answer has no `####`.
    """
    problem, answer = row.string("question"), row.string("answer")
    solution, mark, final = answer.rpartition(MARK)
    if not mark:
        raise row.error(f"'answer' has no line '{MARK} N'. Expected rows as in openai/gsm8k.")
    return Problem(
        id=text_id("gsm8k", problem),
        problem=problem,
        answer=final.strip().replace(",", ""),
        solution=solution.strip() or None,
    )


SOURCE = Source(
    name="gsm8k",
    hub="openai/gsm8k",
    columns=("question", "answer"),
    to_problem=to_problem,
    split="train",
    splits=("train", "test"),
    subset="main",
)
