"""A source of problems and a solver at a server, both scripted, so that what becomes of each row can be computed.

Row i asks for i + 7 in words of its own. Of the solver's samples of it the first `num_right(i)` are right, and those of
every ninth row have no step tags. Some rows are no problems, repeat an earlier one, or are in the evaluation set.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

NUM_SAMPLES = 4
EVALUATION = "Row 7 is one that nobody may train on, what is it?"


def num_right(i: int) -> int:
    return i % 5


def is_tagged(i: int) -> bool:
    return i % 9 != 0


def text(i: int) -> str:
    return f"Problem {i}: take the number {i}, then add seven to {i}, which gives how much for {i}?"


def row(i: int) -> dict[str, Any]:
    kind = i % 20
    problem, answer = text(i), str(i + 7)
    if kind == 3 or kind > 17:
        answer = "the proof is complete by induction"
    elif kind == 7:
        problem = EVALUATION + f" Number {i}."
    elif kind == 11:
        problem = text(i - 1)  # row i - 1 has the same one, its answer included
        answer = str(i + 6)
    elif kind == 13:
        problem = text(i - 1) + " Say it."
        answer = str(i + 6)
    elif kind == 17:
        answer = None
    return {"question": problem, "final": answer, "level": i % 2}


DROPPED = {
    **{3: "usable_answer", 7: "not_in_evaluation_sets", 11: "first_seen", 13: "no_near_duplicate", 17: "well_formed"},
    **{18: "usable_answer", 19: "usable_answer"},
}


def fate(i: int, below: float = 0.6) -> str:
    """The stage that drops a row, "" where it is kept, with rates between 0 and `below` and no critic."""
    if i % 20 in DROPPED:
        return DROPPED[i % 20]
    if not is_tagged(i):
        return "step_format"
    return "" if 0 < num_right(i) / NUM_SAMPLES < below else "solve_rate"


def write_source(directory: Path, count: int) -> Path:
    path = directory / "source.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row(i) for i in range(count)]), path, row_group_size=500)
    (directory / "evaluation.jsonl").write_text(json.dumps({"id": "e", "problem": EVALUATION, "answer": "1"}) + "\n")
    return path


def number_of(body: dict[str, Any]) -> int:
    """The row whose problem a request is about."""
    return int(re.search(r"Problem (\d+)", body["messages"][-1]["content"]).group(1))


def solve(body: dict[str, Any]) -> str:
    """The scripted solver's sample, or the critic's solution where no sample is asked for."""
    i = number_of(body)
    if "seed" not in body:
        return f"It is \\boxed{{{i + 7}}}."
    answer = i + 7 if body["seed"] % NUM_SAMPLES < num_right(i) else i
    return f"<step_1>{i} + 7 = {answer}</step_1>\n<answer>{answer}</answer>" if is_tagged(i) else f"\\boxed{{{answer}}}"


def settings(directory: Path, url: str = "", **more: Any) -> dict[str, Any]:
    """Settings of a curation of the source in `directory`."""
    return {
        "source": str(directory / "source.parquet"),
        "columns": ["problem=question", "answer=final", "meta.level=level"],
        "evaluation_sets": [str(directory / "evaluation.jsonl")],
        "output_dir": str(directory / "out"),
        "num_problems": 0,
        "num_validation": 3,
        "num_test": 3,
        "num_samples": NUM_SAMPLES,
        "correct_rate_below": 0.6,
        "batch_problems": 16,
        "solver_model": "m",
        "solver_base_url": url,
        "solver_cache": str(directory / "cache.sqlite"),
        **more,
    }


def check_adds_up(funnel: dict[str, Any]) -> None:
    """What comes out of a stage goes into the next one, from all rows to the problems that are kept."""
    stages = funnel["stages"]
    assert stages[0]["num_in"] == funnel["num_rows"] and stages[-1]["num_out"] == funnel["num_kept"]
    for one, next_one in pairwise(stages):
        assert one["num_out"] == next_one["num_in"]
    for stage in stages:
        assert stage["num_in"] - stage["num_out"] == sum(stage.get("dropped", {}).values())
