"""Grading: is the answer of a response mathematically equal to the true one?

>>> grade_answer("16 - 3 = 13\\nA: 13", "13")
Grade(outcome=<Outcome.CORRECT: 'correct'>, extracted='13')
"""

from __future__ import annotations

import atexit
from functools import cache

from stepalign.core.rollout import Grade
from stepalign.grading.answers import ANSWER_PATTERNS, extract_answer
from stepalign.grading.grader import Grader
from stepalign.grading.own import AnyGrader, OwnGrader

__all__ = ["ANSWER_PATTERNS", "AnyGrader", "Grader", "OwnGrader", "extract_answer", "grade_answer"]


def grade_answer(text: str, answer: str, *, thinking_open: bool = False) -> Grade:
    """Grade a response against the true answer with a grader that all calls share and that ends with the program.

    Args:
        thinking_open: the prompt ended inside `<think>`; a response that never closes it has no answer.
    """
    return _shared_grader(thinking_open).grade(text, answer)


@cache
def _shared_grader(thinking_open: bool) -> Grader:
    grader = Grader(thinking_open=thinking_open)
    atexit.register(grader.close)
    return grader
