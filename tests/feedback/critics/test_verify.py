import asyncio

import pytest

from stepalign.core.critique import Critique, CritiqueStep
from stepalign.core.problem import Problem
from stepalign.core.rollout import Grade, Outcome, Rollout
from stepalign.feedback.critics import verify as module
from stepalign.feedback.critics.critic import Rejected
from stepalign.feedback.critics.verify import is_leak, reference_critique, verbatim_counts

from .conftest import RIGHT, WRONG


def critique(*steps, case="D", first_wrong=2, answer="20"):
    return Critique(case, first_wrong, tuple(CritiqueStep(*step) for step in steps), answer)


def verify(rollout, value, grade):
    return asyncio.run(module.verify(rollout, value, grade))


def never(text, answer):
    raise AssertionError("graded")


def test_the_same_text_needs_no_grader(rollout):
    assert verify(rollout(), critique(("2 + 3 = 5", "copied")), never).verified


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.WRONG, "wrong_answer"),
        (Outcome.UNPARSEABLE, "unparseable_answer"),
        (Outcome.TIMEOUT, "grading_timeout"),
    ],
)
def test_what_is_not_graded_correct_is_rejected_with_its_reason(outcome, reason, rollout):
    with pytest.raises(Rejected, match=reason):
        verify(rollout(), critique(answer="7"), lambda text, answer: Grade(outcome))


def test_equal_answers_in_other_words_are_correct(rollout, grade):
    assert verify(rollout(), critique(answer=r"\boxed{20.0}"), grade).verified


def test_case_a_grades_the_trace_and_not_the_claim(rollout, grade):
    with pytest.raises(Rejected, match="wrong_answer"):
        verify(rollout(WRONG), critique(case="A", answer="20"), grade)


def test_case_a_finds_the_answer_of_an_untagged_trace(rollout, grade):
    value = verify(rollout("2 + 3 = 5\n5 * 4 = 20\nA: 20"), critique(case="A", answer=""), grade)
    assert value.verified and value.answer == "20"


def test_a_copy_that_is_none_is_rejected(rollout):
    with pytest.raises(Rejected, match="not_verbatim"):
        verify(rollout(), critique(("2 + 3 = 6", "copied")), never)


@pytest.mark.parametrize(
    "text",
    [
        "As the reference solution shows",
        "By the REFERENCE, x = 4",
        "the ground truth is 4",
        "ground-truth",
        "which matches the given answer",
        "the provided solution says",
        "the answer key",
        "It equals the known correct answer",
    ],
)
def test_leaks(text):
    assert is_leak([text], "Solve x + 1 = 5")


def test_what_is_no_leak():
    assert not is_leak(["The reference angle is 30 degrees", "the answer is 4", "we are given 3 apples"], "Solve it")
    assert not is_leak(["the reference is 3"], "A reference is taken.".replace("A reference", "The reference"))


def test_copied_steps_cannot_leak(rollout):
    text = WRONG.replace("2 + 3 = 5", "the reference is 5")
    assert verify(rollout(text), critique(("the reference is 5", "copied")), never).verified
    with pytest.raises(Rejected, match="leak"):
        verify(rollout(text), critique(("by the reference, 5", "rewritten")), never)


def test_verbatim_counts(rollout):
    kept = ("2 + 3 = 5", "copied")
    assert verbatim_counts(rollout(WRONG), critique(kept, ("5 * 4 = 20", "rewritten"))) == (1, 1)
    assert verbatim_counts(rollout(RIGHT), critique(kept, ("x", "rewritten"), case="B"), num_correct=2) == (1, 2)
    assert verbatim_counts(rollout(RIGHT), critique(kept, ("5 * 4 = 20", "copied"), first_wrong=None)) == (2, 2)
    assert verbatim_counts(rollout(WRONG), critique(("x", "rewritten"), first_wrong=1)) == (0, 0)


def test_reference_critique(rollout):
    value = reference_critique(rollout())
    assert value is not None and (value.case, value.first_wrong_step, value.answer) == ("D", None, "20")
    assert reference_critique(Rollout(Problem("p", "x", "1"), 0, "")) is None
