"""The American Invitational Mathematics Examination of 2024 and 2025: 30 problems each, answers 0 to 999.

Several copies are on the hub, with other columns each:
- HuggingFaceH4/aime_2024, split train: id, problem, solution, answer, url, year. Registered as `aime_2024`.
- Maxwell-Jia/AIME_2024, split train: ID ("2024-II-4"), Problem, Solution, Answer (a number).
- math-ai/aime25, split test: problem, answer, id. Registered as `aime_2025`.
- yentinglin/aime_2025, split train: id, problem, answer and more.
- opencompass/AIME2025, split test, one subset a paper: question, answer. This is the first paper.

Source: the datasets' cards.
"""

from __future__ import annotations

from stepalign.data.sources.mapping import ColumnMapping
from stepalign.data.sources.source import Source


def _source(name: str, hub: str, split: str, mapping: ColumnMapping, subset: str | None = None) -> Source:
    return Source(
        name, hub, columns=mapping.columns, to_problem=mapping.to_problem, split=split, splits=(split,), subset=subset
    )


H4 = ColumnMapping("aime_2024", meta={"year": "year", "url": "url"}, is_prefixed=True)
MAXWELL = ColumnMapping(
    "aime_2024", {"id": "ID", "problem": "Problem", "answer": "Answer", "solution": "Solution"}, is_prefixed=True
)
PLAIN = ColumnMapping("aime_2025", is_prefixed=True)
QUESTION = ColumnMapping("aime_2025", {"problem": "question"})

SOURCES = (
    _source("aime_2024", "HuggingFaceH4/aime_2024", "train", H4),
    _source("aime_2024_maxwell", "Maxwell-Jia/AIME_2024", "train", MAXWELL),
    _source("aime_2025", "math-ai/aime25", "test", PLAIN),
    _source("aime_2025_yentinglin", "yentinglin/aime_2025", "train", PLAIN),
    _source("aime_2025_opencompass", "opencompass/AIME2025", "test", QUESTION, subset="AIME2025-I"),
)
