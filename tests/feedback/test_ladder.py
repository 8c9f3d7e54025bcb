"""The formats that ship, each on one micro rollout whose second step is wrong."""

import random
import re

import pytest

from stepalign.core.critique import Critique, CritiqueStep
from stepalign.core.errors import ConfigError, DataError
from stepalign.core.files import write_jsonl
from stepalign.core.problem import Problem
from stepalign.core.rollout import Grade, Outcome, Rollout
from stepalign.core.trace import render_steps
from stepalign.feedback.critics.build import check_feedback
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.formats import build_context, feedback_class
from stepalign.feedback.from_peers import known_peers
from stepalign.feedback.from_references import first_steps, shift_numbers
from stepalign.micro import exact_critique
from stepalign.micro.critic import exact_rewrite

SOLUTION = render_steps(["68 and 222 are 290.", "Twice 290 is 580.", "So 815."], "815")
PROBLEM = Problem("p", "Start with 68. Add 222. Times 2. Add 235.", "815", solution=SOLUTION)
OTHERS = [PROBLEM, *(Problem(f"q{i}", f"Start with {i}2. Add 11.", "1", solution=f"solution {i}") for i in range(5))]
STEPS = (
    "Then add 222: 8+2=10 keep 1, 6+2+1=9; 0+2=2. We get 290.",
    "Next scale by 2: 0*2=0, 9*2=18; 2*2=4. So 480.",
    "Next add 235: 0+5=5, 8+3=11 carry 1, 4+2+1=7. We get 715.",
)
TEXT = "\n".join(f"<step_{i}>{step}</step_{i}>" for i, step in enumerate(STEPS, 1)) + "\n<answer>715</answer>"
WRONG = Rollout(PROBLEM, 0, TEXT, grade=Grade(Outcome.WRONG, "715"))
RIGHT = Rollout(PROBLEM, 1, TEXT.replace("715", "815"), grade=Grade(Outcome.CORRECT, "815"))


class Exact:
    can_rewrite = True

    def __init__(self):
        self.num_asked = 0

    def __call__(self, rollouts):
        self.num_asked += len(rollouts)
        return [exact_critique(rollout) for rollout in rollouts]

    def rewrite(self, rollouts, steps):
        return [exact_rewrite(rollout, step) for rollout, step in zip(rollouts, steps, strict=True)]


def text(name, rollout=WRONG, **given):
    context = build_context(rollout, name, Exact(), problems=OTHERS, **given)
    return None if context is None else context.text


def test_each_part_of_the_reference_is_a_beginning_of_it():
    assert text("refsol") == SOLUTION
    assert text("hint") == "<step_1>68 and 222 are 290.</step_1>"
    assert text("first_half") == text("hint")  # one of three steps
    assert text("answer") == "<answer>815</answer>"
    assert text("none") == ""
    begins = [first_steps(Problem("p", "?", "3", solution=text)) for text in ("a\nb\nc\nd\n#### 3", "one step", None)]
    assert begins == ["a\nb", None, None]


def test_other_is_never_the_problems_own_and_the_same_each_time():
    for seed in range(4):
        given = {p.id: text("other", Rollout(p, 0, ""), seed=seed) for p in OTHERS}
        assert sorted(given.values()) == sorted(p.solution for p in OTHERS)  # a permutation
        assert all(given[p.id] != p.solution for p in OTHERS)
        assert given == {p.id: text("other", Rollout(p, 3, "x"), seed=seed) for p in OTHERS}
    assert build_context(WRONG, "other", problems=[PROBLEM]) is None
    assert build_context(Rollout(Problem("new", "?", "1"), 0, ""), "other", problems=OTHERS) is not None
    again = Rollout(Problem("again", PROBLEM.problem, "815"), 0, "")  # the same problem under another id
    assert build_context(again, "other", problems=[PROBLEM]) is None


def test_shifted_changes_every_number_the_same_way_and_nothing_else():
    shifted = text("shifted")
    assert re.sub(r"\d+", "N", shifted) == re.sub(r"\d+", "N", SOLUTION)
    assert re.findall(r"</?step_\d>", shifted) == re.findall(r"</?step_\d>", SOLUTION)
    first, second = (re.findall(r"(?<![_\d])\d+", t) for t in (SOLUTION, shifted))
    assert all(a != b and len(a) == len(b) for a, b in zip(first, second, strict=True))
    assert len(set(zip(first, second, strict=True))) == len(set(first))
    assert shift_numbers("0.05", random.Random(0)) != "0.05"


def test_formats_of_one_critique_say_different_parts_of_it():
    critique = exact_critique(WRONG)
    assert text("stepalign") == critique.text and STEPS[0] in critique.text and STEPS[1] not in critique.text
    correction = text("correction")
    assert (
        correction.startswith("<step_2>") and STEPS[0] not in correction and correction.endswith("<answer>815</answer>")
    )
    assert text("whole_attempt") == f"{TEXT}\n{correction}"
    assert text("correction", Rollout(PROBLEM, 0, critique.text)) is None  # nothing to correct


def test_a_random_step_copies_what_is_before_it_mistakes_too_and_carries_on():
    drawn = {}
    for seed in range(12):
        context = build_context(WRONG, "random_step", Exact(), seed=seed)
        assert context.critique.first_wrong_step == 2  # the diagnosis, for whoever wants to know where it goes wrong
        drawn[1 if STEPS[0] not in context.text else 3] = context.text
    assert set(drawn) == {1, 3}
    assert "So 580." in drawn[1] or "580." in drawn[1]
    assert f"<step_1>{STEPS[0]}</step_1>\n<step_2>{STEPS[1]}</step_2>" in drawn[3]
    assert drawn[3].endswith("<answer>715</answer>") and STEPS[2] not in drawn[3].replace("carry", "keep")
    single = Rollout(PROBLEM, 0, f"<step_1>{STEPS[1]}</step_1><answer>480</answer>")
    assert build_context(single, "random_step", Exact()) is None  # there is no other step


def test_an_exact_rewrite_works_from_the_value_that_it_finds():
    written = exact_rewrite(WRONG, 3)
    assert [step.origin for step in written.steps] == ["copied", "copied", "rewritten"]
    assert written.answer == "715" and not written.verified
    assert exact_rewrite(WRONG, 1).answer == "815" and exact_rewrite(WRONG, 1).verified
    longer = Rollout(PROBLEM, 0, TEXT.replace("<answer>", f"<step_4>{STEPS[2]}</step_4><answer>"))
    assert exact_rewrite(longer, 4) is None  # every operation is done before
    chain = Problem("m", "Start with 50. Minus 40. Minus 5. Add 30. Add 12.", "47")
    low = Rollout(
        chain, 0, "<step_1>Now minus 40: 10-0=10; 5-4-1=0. So 1.</step_1><step_2>?</step_2><step_3>x</step_3>"
    )
    assert exact_rewrite(low, 3) is None  # 1 - 5 has no column work, nor has what follows from it


def test_describe_says_where_and_why_and_is_none_without_a_reason():
    def critic(rollouts):
        return [
            Critique("D", 2, (CritiqueStep("x", "inserted"),), "815", judgement="A carry is lost.") for _ in rollouts
        ]

    assert (
        build_context(WRONG, "describe", critic).text
        == "Step 2 of the attempt is the first wrong one. A carry is lost."
    )
    assert build_context(WRONG, "describe", Exact()) is None


def test_a_peer_is_a_right_rollout_other_than_this_one():
    assert text("peer") is None
    assert text("peer", peers=[RIGHT]) == RIGHT.text
    assert text("peer", RIGHT, peers=[RIGHT]) is None
    feedback = feedback_class("peer")()
    assert [c and c.text for c in feedback.contexts([WRONG, RIGHT])] == [RIGHT.text, None]  # sampled together
    assert feedback.contexts([WRONG])[0].text == RIGHT.text  # and remembered


def test_peers_come_from_graded_samples_and_from_the_run(tmp_path):
    write_jsonl(tmp_path / "samples.jsonl", [RIGHT.to_json(), {**RIGHT.to_json(), "problem_id": "unknown"}])
    write_jsonl(tmp_path / "rollouts.jsonl", [{**WRONG.to_json(), "step": 1}])
    found = known_peers(str(tmp_path / "samples.jsonl"), [PROBLEM], tmp_path)
    assert [rollout.text for rollout in found] == [RIGHT.text, WRONG.text]
    write_jsonl(tmp_path / "ungraded.jsonl", [Rollout(PROBLEM, 0, "x").to_json()])
    with pytest.raises(DataError, match="none is a graded response"):
        known_peers(str(tmp_path / "ungraded.jsonl"), [PROBLEM])


@pytest.mark.parametrize(
    ("condition", "critic", "message"),
    [
        ("stepalign", None, "needs a critic; got none"),
        ("describe", "exact", "needs a critic that says in prose why"),
        ("random_step", "micro", "can be told which step to write again"),
    ],
)
def test_what_a_critic_cannot_do_is_said_before_it_is_asked(condition, critic, message):
    settings = None if critic is None else CriticSettings(critic=critic)
    with pytest.raises(ConfigError, match=message):
        check_feedback(condition, settings)


def test_the_exact_critic_can_do_what_the_controls_ask():
    for condition in ("random_step", "whole_attempt", "correction", "stepalign", "other"):
        check_feedback(condition, CriticSettings(critic="exact"))
    check_feedback(
        "describe",
        CriticSettings(critic="openai", critic_base_url="http://x/v1", critic_model="m", critic_judgement=True),
    )


def test_formats_that_need_nothing_of_a_critic_do_not_ask_it():
    critic = Exact()
    for name in ("none", "other", "shifted", "answer", "hint", "first_half", "refsol", "peer"):
        build_context(WRONG, name, critic, problems=OTHERS)
    assert critic.num_asked == 0
