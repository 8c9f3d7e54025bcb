"""Critiques spliced from a label and a reference solution."""

from __future__ import annotations

import pytest

from stepalign.data.labels import load_labels
from stepalign.feedback.critics.labels import LabelsCritic, labelled_critique, numbers, remaining, result
from stepalign.feedback.formats import build_context

ROW = {
    "id": "p1",
    "problem": "Ann has 3 bags of 4 apples and 5 pears. She eats 2. How many pieces of fruit?",
    "answer": "15",
    "solution": "3 * 4 = 12 apples.\nShe has 12 + 5 = <<12+5=17>>17 pieces.\nShe is left with 17 - 2 = 15.\n#### 15",
    "steps": ["There are 3 * 4 = 12 apples.", "With the pears 12 + 5 = 18.", "18 - 2 = 16.", "#### 16"],
    "first_wrong_step": 2,
    "reason": "12 + 5 is 17.",
}


def label_of(**changes):
    (label,) = load_labels([{**ROW, **changes}])
    return label


def made(label):
    critique = labelled_critique(label.rollout, label)
    return None if critique is None else [(step.origin, step.text) for step in critique.steps]


def test_right_steps_are_copied_and_the_reference_goes_on():
    label = label_of()
    critique = labelled_critique(label.rollout, label)
    assert made(label) == [
        ("copied", "There are 3 * 4 = 12 apples."),
        ("rewritten", "She has 12 + 5 = 17 pieces."),
        ("rewritten", "She is left with 17 - 2 = 15."),
    ]
    assert (critique.case, critique.first_wrong_step, critique.answer) == ("D", 2, "15")
    assert (critique.judgement, critique.source, critique.verified) == ("12 + 5 is 17.", "labels", True)


def test_steps_beyond_the_solvers_are_inserted():
    origins = [origin for origin, _ in made(label_of(steps=["Ann has 3 apples."], first_wrong_step=1))]
    assert origins == ["rewritten", "inserted", "inserted"]


def test_a_right_trace_is_copied_whole_and_needs_no_solution():
    label = label_of(first_wrong_step=None, solution=None)
    critique = labelled_critique(label.rollout, label)
    assert (critique.case, critique.first_wrong_step) == ("A", None)
    assert [step.text for step in critique.steps] == ROW["steps"]
    assert {step.origin for step in critique.steps} == {"copied"}


@pytest.mark.parametrize("changes", [{"solution": None, "first_wrong_step": 1}, {"answer": ""}])
def test_without_an_answer_or_anything_beside_it_there_is_none(changes):
    assert made(label_of(**changes)) is None


@pytest.mark.parametrize("solution", [None, ""])
def test_without_a_solution_the_answer_follows_the_right_steps(solution):
    label = label_of(solution=solution)
    critique = labelled_critique(label.rollout, label)
    assert critique.text == "<step_1>There are 3 * 4 = 12 apples.</step_1>\n<answer>15</answer>"
    assert (critique.case, critique.first_wrong_step) == ("D", 2)
    attempt = label.rollout.text
    quoted = build_context(label.rollout, "whole_attempt", LabelsCritic([label]))
    assert quoted.text == f"{attempt}\n<answer>15</answer>"


def test_the_labels_own_correction_wins_over_the_reference():
    label = label_of(correction=["12 + 5 = 17.", "17 - 2 = 15."], solution=None)
    assert [text for _, text in made(label)] == ["There are 3 * 4 = 12 apples.", "12 + 5 = 17.", "17 - 2 = 15."]


def test_the_last_step_remains_where_every_result_is_there():
    solution = "3 * 4 = 12.\n12 + 5 = 17."
    assert remaining(solution, ["3 * 4 = 12", "12 + 5 = 17"], "") == ["12 + 5 = 17."]


def test_numbers_of_the_problem_are_no_results():
    """A step that only repeats what the problem states does not stand for a step of the reference."""
    assert remaining("She gets 4 apples.\n4 + 5 = 9", ["Each bag has 4 apples."], "Bags of 4 apples.") == [
        "She gets 4 apples.",
        "4 + 5 = 9",
    ]
    assert remaining("She gets 6 apples.\n6 + 5 = 11", ["So 6 apples."], "Bags of 4 apples.") == ["6 + 5 = 11"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 * $4.50 = $9.00 in all for 3", 9),
        ("So 1,200 pens.", 1200),
        ("x = y = 7", 7),
        ("Nothing.", None),
        ("a = b", None),
    ],
)
def test_the_result_of_a_step(text, expected):
    assert result(text) == expected


def test_numbers_are_compared_by_value():
    assert numbers("$1,250.50, 4.0 and .5") == numbers("1250.5 4 0.5")


def test_the_critic_is_asked_by_formats():
    label = label_of()
    critic = LabelsCritic([label])
    assert build_context(label.rollout, "stepalign", critic).text.splitlines()[0].endswith("12 apples.</step_1>")
    assert build_context(label.rollout, "describe", critic).text == (
        "Step 2 of the attempt is the first wrong one. 12 + 5 is 17."
    )


def test_told_to_rewrite_another_step_it_copies_all_before_the_error_too():
    label = label_of()
    (critique,) = LabelsCritic([label]).rewrite([label.rollout], [3])
    assert [step.origin for step in critique.steps[:3]] == ["copied", "copied", "rewritten"]
    assert critique.steps[1].text == ROW["steps"][1]
    assert (critique.first_wrong_step, critique.judgement) == (3, "")
