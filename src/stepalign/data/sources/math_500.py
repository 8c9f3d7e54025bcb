"""HuggingFaceH4/MATH-500: the 500 test problems of MATH that "Let's verify step by step" (arXiv 2305.20050) kept.

Columns: problem, solution, answer (LaTeX), subject, level (1 to 5), unique_id ("test/precalculus/807.json").
Source: https://huggingface.co/datasets/HuggingFaceH4/MATH-500.
"""

from __future__ import annotations

from stepalign.data.sources.mapping import ColumnMapping
from stepalign.data.sources.source import Source

MAPPING = ColumnMapping(
    "math_500", {"id": "unique_id"}, meta={"subject": "subject", "level": "level"}, is_prefixed=True
)

SOURCE = Source(
    name="math_500",
    hub="HuggingFaceH4/MATH-500",
    columns=MAPPING.columns,
    to_problem=MAPPING.to_problem,
    split="test",
    splits=("test",),
)
