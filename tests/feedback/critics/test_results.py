"""The critic that follows the solver while the numbers are the reference's."""

import pytest

from stepalign.core.problem import Problem
from stepalign.core.rollout import Grade, Outcome, Rollout
from stepalign.feedback.critics.build import build_critic
from stepalign.feedback.critics.results import along_reference, along_reference_from, first_off_the_way
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.formats import build_context

PROBLEM = Problem(
    "p", "Ann has 3 bags of 4 apples and 5 pears. She eats 2. How many?", "15",
    solution="3 * 4 = <<3*4=12>>12 apples.\nShe has 12 + 5 = 17.\nShe is left with 17 - 2 = 15.\n#### 15",
)  # fmt: skip


def rollout(*steps, answer=None, **options):
    text = "".join(f"<step_{i}>{step}</step_{i}>" for i, step in enumerate(steps, start=1))
    return Rollout(PROBLEM, 0, text + (f"<answer>{answer}</answer>" if answer else ""), **options)


def made(response):
    critique = along_reference(response)
    steps = [(step.origin, step.text) for step in critique.steps]
    return critique.case, critique.first_wrong_step, steps, critique.answer


def test_the_first_result_that_the_reference_lacks_is_where_it_takes_over():
    response = rollout("3 * 4 is 12 apples.", "12 + 5 = 18.", "18 - 2 = 16.", answer="16")
    copied = ("copied", "3 * 4 is 12 apples.")
    rest = [("rewritten", "She has 12 + 5 = 17."), ("rewritten", "She is left with 17 - 2 = 15.")]
    assert made(response) == ("D", 2, [copied, *rest], "15")


def test_a_right_answer_leaves_everything_as_it_is():
    steps = ["3 * 4 = 12.", "5 - 2 = 3.", "12 + 3 = 15."]  # another way: 3 is a number of the problem
    assert made(rollout(*steps, answer="15"))[:2] == ("A", None)
    right = Grade(Outcome.CORRECT, "15")
    assert made(rollout("It is 99.", answer="99", grade=right))[:2] == ("A", None)  # the grade knows better
    wrong = Grade(Outcome.WRONG, "15")
    assert made(rollout("It is 99.", answer="15", grade=wrong))[:2] == ("D", 1)


def test_on_the_way_and_not_there_yet_is_unfinished():
    case, first, steps, answer = made(rollout("3 * 4 = 12.", "12 + 5 = 17."))
    assert (case, first, answer) == ("C", None, "15")
    assert [origin for origin, _ in steps] == ["copied", "copied", "inserted"]
    assert steps[-1][1] == "She is left with 17 - 2 = 15."


def test_a_step_without_a_number_says_nothing():
    assert first_off_the_way(rollout("Let us count the apples.", "3 * 4 = 13.")) == 2
    assert first_off_the_way(rollout("Let us count.", "3 * 4 = 12.")) is None


def test_told_a_step_it_copies_what_is_before_it_right_or_wrong():
    response = rollout("3 * 4 = 13.", "13 + 5 = 18.", answer="18")
    critique = along_reference_from(response, 2)
    assert [step.origin for step in critique.steps][:2] == ["copied", "rewritten"]
    assert critique.steps[0].text == "3 * 4 = 13."


@pytest.mark.parametrize("lacks", [{"solution": None}, {"solution": ""}, {"answer": ""}])
def test_without_a_reference_it_is_counted(lacks, grade):
    parts = {"answer": "15", "solution": PROBLEM.solution} | lacks
    response = Rollout(Problem("q", PROBLEM.problem, parts["answer"], solution=parts["solution"]), 0, "It is 3.")
    critic = build_critic(CriticSettings(critic="results"), grade)
    (record,) = critic.critique([response])
    assert (record.status, record.reason) == ("skipped", "no_reference")
    assert critic.ledger.num_rejected == {"no_reference": 1}


def test_by_name_it_is_verified_and_makes_the_contexts(grade):
    response = rollout("3 * 4 = 12.", "12 + 5 = 18.", answer="18")
    critic = build_critic(CriticSettings(critic="results"), grade)
    (record,) = critic.critique([response])
    assert (record.status, record.critique.first_wrong_step, record.critique.source) == ("verified", 2, "results")
    assert critic.can_rewrite
    context = build_context(response, "correction", lambda rollouts: [r.critique for r in critic.critique(rollouts)])
    assert context.text.startswith("<step_2>She has 12 + 5 = 17.</step_2>")
