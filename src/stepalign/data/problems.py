"""Problems from a JSONL file: one object a line with `id`, `problem`, `answer` and perhaps `solution` and `meta`.

{"id": "p1", "problem": "What is 2 + 2?", "answer": "4"}

    >>> problems = load_problems("problems.jsonl")
    >>> problems[0].answer
    '167'
"""

from __future__ import annotations

from pathlib import Path

from stepalign.core.problem import Problem
from stepalign.data.jsonl import Row, read_rows


def load_problems(path: str | Path) -> list[Problem]:
    """The problems in the file's order. Ids and answers may be numbers; they become strings.

    Raises:
        DataError: the file or a line of it is unusable, or an id comes twice; the message names the line.
    """
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for row in read_rows(path):
        problem = _problem(row)
        if problem.id in seen:
            raise row.error(f"id '{problem.id}' was used before ({seen[problem.id]}). Give every problem its own id.")
        seen[problem.id] = row.where
        problems.append(problem)
    return problems


def _problem(row: Row) -> Problem:
    meta = row.values.get("meta") or {}
    if not isinstance(meta, dict):
        raise row.error("'meta' is not an object; expected a JSON object. Correct the line.")
    return Problem(
        id=row.string("id", numbers=True),
        problem=row.string("problem"),
        answer=row.string("answer", numbers=True),
        solution=row.string("solution") if row.has("solution") else None,
        meta=meta,
    )
