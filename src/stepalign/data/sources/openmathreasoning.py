"""nvidia/OpenMathReasoning: 306,000 problems of the AoPS forums, in 3.2 million rows: one a generated solution.

Columns, all text: problem, expected_answer, problem_type (has_answer_extracted, no_answer_extracted, converted_proof),
problem_source, generation_model, generated_solution, inference_mode, pass_rate_72b_tir (a rate, or "n/a"); and a
boolean used_in_kaggle. The splits cot and tir have solutions, additional_problems has none; the rows of genselect are
prompts and no problems. The expected answer is the forum's where problem_type is has_answer_extracted, elsewhere a
majority vote of generated solutions. Rows have no id: a problem's id is a hash of its text, the same in every split.

Source: the dataset's card, https://huggingface.co/datasets/nvidia/OpenMathReasoning, and arXiv 2504.16891.

    stepalign curate --source openmathreasoning --where problem_type=has_answer_extracted ...
"""

from __future__ import annotations

from stepalign.core.problem import Problem
from stepalign.data.jsonl import Row
from stepalign.data.sources.source import Source, known_answer, present, text_id

KEPT = ("problem_type", "problem_source", "generation_model", "inference_mode")


def to_problem(row: Row) -> Problem:
    """`meta.pass_rate_72b_tir` is a number, absent where the dataset has none."""
    problem = row.string("problem")
    solution = known_answer(row.string("generated_solution", empty=True)) if row.has("generated_solution") else ""
    meta = {name: row.values.get(name) for name in KEPT} | {"pass_rate_72b_tir": _rate(row)}
    return Problem(
        id=text_id("openmathreasoning", problem),
        problem=problem,
        answer=known_answer(row.string("expected_answer", numbers=True, empty=True)),
        solution=solution or None,
        meta=present(meta),
    )


def _rate(row: Row) -> float | None:
    try:
        return float(row.values.get("pass_rate_72b_tir") or "n/a")
    except ValueError:
        return None


SOURCE = Source(
    name="openmathreasoning",
    hub="nvidia/OpenMathReasoning",
    columns=("problem", "expected_answer"),
    to_problem=to_problem,
    split="cot",
    splits=("cot", "tir", "additional_problems"),
)
