"""Every kind of answer that is graded: spellings that are correct, and near misses that are not (kinds.txt)."""

from pathlib import Path

import pytest

from stepalign.core.rollout import Outcome
from stepalign.grading.math import compare
from stepalign.grading.plain import plain_outcome


def read_kinds():
    kind = ""
    for line in (Path(__file__).parent / "kinds.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
        elif line and not line.startswith("#"):
            sign, gold, answer = line.split(" || ")
            yield pytest.param(
                gold, answer, sign == "+", id=f"{kind}: {gold} / {answer}".encode("unicode_escape").decode()
            )


@pytest.mark.parametrize(("gold", "answer", "is_correct"), [*read_kinds()])
def test_is_graded_right(gold, answer, is_correct):
    outcome = plain_outcome(gold, answer) or compare(gold, answer)
    assert (outcome is Outcome.CORRECT) == is_correct
