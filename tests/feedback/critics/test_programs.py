"""Critiques of programs: steps are lines with their indents, copies are equal, and the tests are what verifies."""

import json

import pytest

from stepalign.clients.client import Reply
from stepalign.core.critique import Critique, CritiqueStep
from stepalign.core.problem import Problem, Tests
from stepalign.core.rollout import Rollout
from stepalign.feedback.critics.critic import Rejected
from stepalign.feedback.critics.functions import FunctionCritic
from stepalign.feedback.critics.prompts import render_messages
from stepalign.feedback.critics.protocols import parse_edit, parse_rewrite, render_edit
from stepalign.feedback.formats import build_context
from stepalign.grading import Grader
from stepalign.runs.rows import CritiqueRow

PROBLEM = Problem(
    "p", "Write largest(xs).", solution="def largest(xs):\n    return max(xs)",
    tests=Tests(asserts=("assert largest([1, 3, 2]) == 3", "assert largest([-1]) == -1")),
)  # fmt: skip
WRONG = Rollout(
    PROBLEM,
    0,
    "So:\n```python\ndef largest(xs):\n    best = 0\n    for x in xs:\n        best = max(best, x)\n    return "
    "best\n```",
)
FIXED = ["def largest(xs):", "    best = xs[0]", "    for x in xs:", "        best = max(best, x)", "    return best"]
EDIT = {"case": "D", "keep_steps": 1, "new_steps": FIXED[1:], "answer": ""}


def edit(**changes):
    return parse_edit(Reply(json.dumps(EDIT | changes)), WRONG)


@pytest.fixture(scope="module")
def grader():
    with Grader() as grader:
        yield grader


def test_an_edit_in_lines_keeps_indents_and_copies_equal_lines_only():
    critique = edit()
    assert [step.text for step in critique.steps] == FIXED and critique.answer is None
    assert [step.origin for step in critique.steps] == ["copied", "rewritten", "copied", "copied", "copied"]
    assert critique.first_wrong_step == 2
    assert critique.text == "\n".join(("```python", *FIXED, "```"))
    one_text = edit(new_steps=["\n".join(FIXED[1:])])  # lines in one text are lines all the same
    assert one_text.steps == critique.steps
    unindented = edit(new_steps=[FIXED[1], "for x in xs:", *FIXED[3:]])
    assert unindented.steps[2].origin == "rewritten"  # an indent means something in Python
    assert json.loads(render_edit(WRONG, critique)) == EDIT


def test_an_edit_that_changes_nothing_is_rejected():
    with pytest.raises(Rejected, match="contradiction"):
        edit(keep_steps=5, new_steps=[])
    with pytest.raises(Rejected, match="wrong_shape"):
        edit(keep_steps=6)


def test_a_rewritten_program_is_split_into_what_was_there_and_what_is_new():
    critique = parse_rewrite(Reply("```python\n" + "\n".join(FIXED) + "\n```"), WRONG)
    assert critique.steps == edit().steps and (critique.case, critique.first_wrong_step) == ("D", 2)
    assert parse_rewrite(Reply(WRONG.text), WRONG).case == "A"
    with pytest.raises(Rejected, match="no_steps"):
        parse_rewrite(Reply("It starts too low."), WRONG)


def test_a_critique_is_verified_by_running_it(grader):
    def asked(critique):
        (record,) = FunctionCritic(lambda rollout: critique, grader.grade, name="mine").critique([WRONG])
        return record.status, record.reason

    assert asked(edit()) == ("verified", "")
    assert asked(edit(new_steps=["    best = 1", *FIXED[2:]])) == ("skipped", "wrong_answer")
    assert asked(edit(new_steps=["    best = xs[9]", *FIXED[2:]])) == ("skipped", "grading_error")
    copied = tuple(CritiqueStep(step.text, "copied") for step in WRONG.trace.steps)
    assert asked(Critique("A", None, copied, None)) == ("skipped", "wrong_answer")  # it claims that all is right
    invented = (CritiqueStep("    best = -9", "copied"), *edit().steps)
    assert asked(Critique("D", 2, invented, None)) == ("skipped", "not_verbatim")


def test_the_critic_is_asked_about_a_program_and_about_mathematics_as_before():
    for protocol in ("edit", "rewrite"):
        asked = "\n".join(message["content"] for message in render_messages(protocol, WRONG, truth="solution"))
        assert "programming problem" in asked and "mathematics" not in asked
        assert "<step_2>    best = 0</step_2>" in asked and "The right answer" not in asked
        plain = Rollout(Problem("m", "2 + 2?", "4"), 0, "<step_1>2 + 2 = 5</step_1><answer>5</answer>")
        asked = "\n".join(message["content"] for message in render_messages(protocol, plain, truth="solution"))
        assert "mathematics problem" in asked and "program" not in asked


def test_contexts_of_a_program():
    critic = lambda rollouts: [edit()]  # noqa: E731
    text = {name: build_context(WRONG, name, critic) for name in ("stepalign", "correction", "whole_attempt")}
    assert text["stepalign"].text == edit().text
    assert text["correction"].text == "```python\n    best = xs[0]\n```"
    assert text["whole_attempt"].text == f"{WRONG.text}\n{text['correction'].text}"
    assert build_context(WRONG, "hint").text == "def largest(xs):"
    assert build_context(WRONG, "answer") is None


def test_a_critique_of_a_program_survives_its_record():
    row = json.loads(json.dumps(CritiqueRow.of(edit()).to_json()))
    assert row["answer"] is None and CritiqueRow.read("row 1", row).critique() == edit()
