import pytest

from stepalign.clients.client import Reply
from stepalign.core.trace import render_steps
from stepalign.feedback.critics.critic import Rejected
from stepalign.feedback.critics.protocols import parse_rewrite

from .conftest import RIGHT, WRONG


def parse(rollout, *steps, answer="20"):
    return parse_rewrite(Reply(render_steps(steps, answer)), rollout)


def test_an_unchanged_trace_is_case_a_with_the_solvers_text(rollout):
    critique = parse(rollout(RIGHT), "2 + 3  = 5", "5 * 4 = 20.")
    assert (critique.case, critique.first_wrong_step, critique.text) == ("A", None, RIGHT)


def test_another_answer_is_case_d(rollout):
    critique = parse(rollout(WRONG), "2 + 3 = 5", "5 * 4 = 20")
    assert (critique.case, critique.first_wrong_step) == ("D", 2)
    assert [step.origin for step in critique.steps] == ["copied", "rewritten"]


def test_the_same_answer_with_another_step_is_case_b(rollout):
    critique = parse(rollout(RIGHT), "2 + 3 = 5", "times 4 now", "5 * 4 = 20", answer=" 20")
    assert (critique.case, critique.first_wrong_step) == ("B", 2)
    assert [step.origin for step in critique.steps] == ["copied", "inserted", "copied"]


def test_an_unfinished_trace_is_case_c(rollout):
    critique = parse(rollout("<step_1>2 + 3 = 5</step_1>"), "2 + 3 = 5", "5 * 4 = 20")
    assert (critique.case, critique.first_wrong_step) == ("C", None)
    assert parse(rollout(WRONG, finish_reason="length"), "20").case == "C"


def test_thinking_is_not_the_reply(rollout):
    reply = Reply("<think><step_1>no</step_1><answer>1</answer></think>\n" + RIGHT)
    assert parse_rewrite(reply, rollout(RIGHT)).case == "A"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("It is 20.", "no_steps"),
        ("<step_1>x</step_1>", "no_answer"),
        ("<step_1>x</step_1><answer> </answer>", "no_answer"),
    ],
)
def test_what_is_no_trace_is_rejected(text, reason, rollout):
    with pytest.raises(Rejected, match=reason):
        parse_rewrite(Reply(text), rollout())
