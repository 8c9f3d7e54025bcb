"""The registered datasets of the hub that are read by their columns alone; the datasets' cards say what these are.

- nvidia/OpenMathReasoning (arXiv 2504.16891): 306,000 problems of the AoPS forums, in 3.2 million rows: one a generated
  solution. The splits cot and tir have solutions, additional_problems has none; the rows of genselect are prompts.
  The expected answer is the forum's where problem_type is has_answer_extracted, elsewhere a majority vote of
  generated solutions; pass_rate_72b_tir is a rate or "n/a". An id is a hash of the text, the same in every split.
- openai/gsm8k (arXiv 2110.14168): 7,473 training and 1,319 test problems of grade-school arithmetic; the answer is a
  solution with calculator notes (`<<48/2=24>>`) whose last line is `#### 24`.
- HuggingFaceH4/MATH-500: the 500 test problems of MATH that "Let's verify step by step" (arXiv 2305.20050) kept.
- The American Invitational Mathematics Examination of 2024 and 2025, 30 problems each, in five copies.

    stepalign curate --source openmathreasoning --where problem_type=has_answer_extracted ...
"""

from __future__ import annotations

from dataclasses import replace

from stepalign.core.problem import Problem
from stepalign.data.answers import known_answer
from stepalign.data.row import Row
from stepalign.data.shape import Shape
from stepalign.data.sources import processbench
from stepalign.data.sources.source import Source


def _source(name: str, hub: str, shape: Shape, *splits: str, subset: str | None = None) -> Source:
    columns = (shape.problem, shape.answer, *([shape.id] if shape.id else []))
    return Source(name, hub, columns, shape.to_problem, splits[0], splits, subset)


def _of_openmathreasoning(row: Row) -> Problem:
    """`meta.pass_rate_72b_tir` is a number, absent where the dataset has none; so is the solution."""
    problem = OPENMATHREASONING.to_problem(row)
    try:
        rate = {"pass_rate_72b_tir": float(row.values.get("pass_rate_72b_tir") or "n/a")}
    except ValueError:
        rate = {}
    return replace(problem, solution=known_answer(problem.solution or "") or None, meta=problem.meta | rate)


def _of_gsm8k(row: Row) -> Problem:
    """The solution loses its notes and the line of the answer, the answer the commas between its thousands."""
    if "####" not in row.string("answer"):
        raise row.error("'answer' has no line '#### N'. Expected rows as in openai/gsm8k.")
    return GSM8K.to_problem(row)


OPENMATHREASONING = Shape(
    answer="expected_answer",
    solution="generated_solution",
    meta={name: name for name in ("problem_type", "problem_source", "generation_model", "inference_mode")},
    prefix="openmathreasoning",
    by_text=True,
)
GSM8K = Shape("question", reading="marked", prefix="gsm8k", by_text=True)
MATH_500 = Shape(
    solution="solution", id="unique_id", meta={"subject": "subject", "level": "level"}, prefix="math_500"
)  # fmt: skip
AIME = Shape(solution="solution", id="id", prefix="aime_2025")
AIME_H4 = replace(AIME, meta={"year": "year", "url": "url"}, prefix="aime_2024")
AIME_MAXWELL = Shape("Problem", "Answer", "Solution", "ID", prefix="aime_2024")
AIME_QUESTION = Shape("question", prefix="aime_2025", by_text=True)

OMR_SPLITS = ("cot", "tir", "additional_problems")
SOURCE_LIST = (
    replace(
        _source("openmathreasoning", "nvidia/OpenMathReasoning", OPENMATHREASONING, *OMR_SPLITS),
        to_problem=_of_openmathreasoning,
    ),
    replace(_source("gsm8k", "openai/gsm8k", GSM8K, "train", "test", subset="main"), to_problem=_of_gsm8k),
    _source("math_500", "HuggingFaceH4/MATH-500", MATH_500, "test"),
    _source("aime_2024", "HuggingFaceH4/aime_2024", AIME_H4, "train"),
    _source("aime_2024_maxwell", "Maxwell-Jia/AIME_2024", AIME_MAXWELL, "train"),
    _source("aime_2025", "math-ai/aime25", AIME, "test"),
    _source("aime_2025_yentinglin", "yentinglin/aime_2025", AIME, "train"),
    _source("aime_2025_opencompass", "opencompass/AIME2025", AIME_QUESTION, "test", subset="AIME2025-I"),
    processbench.SOURCE,
)
SOURCES: dict[str, Source] = {source.name: source for source in SOURCE_LIST}


def find_source(name: str) -> Source | None:
    """The registered source of that name or hub path, in any spelling of case and hyphens."""
    plain = name.casefold().replace("-", "_")
    return next((s for s in SOURCES.values() if plain in (s.name, s.hub.casefold().replace("-", "_"))), None)
