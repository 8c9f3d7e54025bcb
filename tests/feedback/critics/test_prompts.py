"""The prompts, word for word. If a change is meant: run with STEPALIGN_UPDATE_SNAPSHOTS=1 and review the diff."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from stepalign.core.errors import ConfigError
from stepalign.feedback.critics.prompts import render_messages

from .conftest import PROBLEM, RIGHT, WRONG

SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.mark.parametrize("truth", ["solution", "answer", "none"])
@pytest.mark.parametrize("protocol", ["edit", "rewrite"])
def test_prompts_are_as_reviewed(protocol, truth, rollout):
    messages = render_messages(protocol, rollout(WRONG), truth=truth)
    text = "\n\n".join(f"## {message['role']}\n\n{message['content']}" for message in messages) + "\n"
    path = SNAPSHOTS / f"{protocol}-{truth}.md"
    if os.environ.get("STEPALIGN_UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("protocol", ["edit", "rewrite"])
def test_the_truth_that_is_shown_is_a_choice(protocol, rollout):
    def user(truth, problem=PROBLEM):
        return render_messages(protocol, rollout("", problem=problem), truth=truth)[1]["content"]

    assert PROBLEM.solution in user("solution") and PROBLEM.answer in user("solution")
    assert PROBLEM.solution not in user("answer") and "right answer: 20" in user("answer")
    assert "20" not in user("none") and PROBLEM.solution not in user("none")
    assert user("solution", replace(PROBLEM, solution=None)) == user("answer")


def test_the_attempt_is_shown_in_tags_whatever_its_layout(rollout):
    text = render_messages("edit", rollout("2 + 3 = 5\n\n5 * 4 = 20"), truth="none")[1]["content"]
    assert "<step_1>2 + 3 = 5</step_1>\n<step_2>5 * 4 = 20</step_2>" in text and "has 2 steps." in text


def test_an_attempt_that_was_cut_off_is_called_so(rollout):
    text = render_messages("edit", rollout("<step_1>2 + 3", finish_reason="length"), truth="none")[1]["content"]
    assert "has 1 step and was cut off." in text


def test_templates_in_the_data_are_data(rollout):
    text = render_messages("edit", rollout(RIGHT.replace("20", "{{ 7 * 6 }} {% x %}")), truth="none")[1]["content"]
    assert "{{ 7 * 6 }} {% x %}" in text


def test_prompts_of_the_users_own(rollout, tmp_path):
    (tmp_path / "user.jinja").write_text("{{ problem }} | {{ answer }}")
    messages = render_messages("edit", rollout(), truth="answer", directory=str(tmp_path))
    assert messages == [{"role": "user", "content": f"{PROBLEM.problem} | 20"}]
    with pytest.raises(ConfigError, match=r"has no user\.jinja"):
        render_messages("edit", rollout(), truth="none", directory=str(tmp_path / "x"))


def test_a_shipped_family_by_its_name(rollout):
    (message,) = render_messages("rewrite", rollout(WRONG), truth="solution", directory="bare")
    assert message["content"] == (
        f"{PROBLEM.problem}\n<solution>\n{PROBLEM.solution}\n</solution>\n<answer>20</answer>\n"
        f"<attempt>\n{WRONG}\n</attempt>"
    )
    assert render_messages("edit", rollout(), truth="none", directory="rewrite") == render_messages(
        "rewrite", rollout(), truth="none"
    )
    with pytest.raises(ConfigError, match="perhaps you meant 'bare'"):
        render_messages("rewrite", rollout(), truth="none", directory="bair")
