"""Every command as a function: the same settings as keyword arguments, the same code, and objects besides names.

>>> results = grade([{"problem_id": "p1", "sample": 0, "text": "A: 4"}], [Problem("p1", "What is 2 + 2?", "4")])
>>> results["correct_rate"]
1.0

Problems may be paths, lists or datasets, critics and graders functions. Results are mappings and lists as the files
hold them, with a short `repr` and `to_pandas()`. The report of a run is the room `stepalign.report`, called.
"""

from stepalign.api.responses import critique, evaluate, grade, inspect, inspect_case, localize
from stepalign.api.runs import compare, curate, preflight, train
from stepalign.core.problem import Problem

__all__ = [
    "Problem",
    "compare",
    "critique",
    "curate",
    "evaluate",
    "grade",
    "inspect",
    "inspect_case",
    "localize",
    "preflight",
    "train",
]
