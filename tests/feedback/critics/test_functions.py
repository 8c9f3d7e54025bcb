import json
import sys
from pathlib import Path

import pytest

from stepalign.core.critique import Critique, CritiqueStep
from stepalign.core.errors import ConfigError, DataError
from stepalign.core.own import name_of
from stepalign.feedback.critics.build import build_critic, check_critic
from stepalign.feedback.critics.functions import FunctionCritic, load_function
from stepalign.feedback.critics.settings import CriticSettings

from .conftest import RIGHT, check_sums, many

GSM8K = Path(__file__).parents[4] / "shared" / "data" / "gsm8k"


def fix(rollout):
    steps = (CritiqueStep(rollout.trace.steps[0].text, "copied"), CritiqueStep("5 * 4 = 20", "rewritten"))
    return Critique("D", 2, steps, "20")


def test_a_function_of_the_users_own(grade):
    critic = FunctionCritic(fix, grade, name="mine")
    records = critic.critique(many(3))
    assert {record.status for record in records} == {"verified"}
    assert records[0].critique.source == "mine"
    check_sums(critic.ledger)


def test_what_it_raises_is_counted(grade):
    def fail(rollout):
        raise KeyError("x")

    critic = FunctionCritic(fail, grade, name="mine")
    assert [record.reason for record in critic.critique(many(2))] == ["raised_KeyError"] * 2
    check_sums(critic.ledger)


def test_it_is_named_by_module_and_function(grade):
    assert load_function("json:dumps") is json.dumps
    for name in ("json:nothing", "no_such_module:x", "json:__doc__"):
        with pytest.raises(ConfigError, match=f"critic '{name}'"):
            load_function(name)
    critic = build_critic(CriticSettings(critic="json:dumps"), grade)
    assert critic.critique(many(1))[0].reason == "raised_TypeError"


def test_the_exact_critic_is_for_the_micro_world(grade):
    with pytest.raises(DataError):
        build_critic(CriticSettings(critic="exact"), grade).critique(many(1, RIGHT))


def test_an_unknown_critic_gets_a_suggestion(grade):
    with pytest.raises(ConfigError, match="perhaps you meant 'openai'"):
        build_critic(CriticSettings(critic="openia"), grade)


def test_it_may_stand_in_a_file_of_the_current_directory(grade, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    text = "from stepalign import Critique, CritiqueStep\ndef critic(rollout):\n"
    text += (
        "    steps = (CritiqueStep(rollout.trace.steps[0].text, 'copied'), CritiqueStep('5 * 4 = 20', 'rewritten'))\n"
    )
    (tmp_path / "teacher_of_mine.py").write_text(text + "    return Critique('D', 2, steps, '20')\n")
    for name in ("./teacher_of_mine.py:critic", "teacher_of_mine:critic"):
        critic = build_critic(CriticSettings(critic=name), grade)
        assert [record.status for record in critic.critique(many(2))] == ["verified"] * 2


def test_an_object_that_is_a_critic_is_taken_as_it_is(grade):
    own = FunctionCritic(fix, grade, name="mine")
    assert build_critic(CriticSettings(critic=name_of(own)), grade) is own


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ solutoin }}", "line 1: 'solutoin' is unknown; a template has: problem, solution, answer"),
        ("{% x %}", "line 1"),
    ],
)
def test_prompts_that_do_not_work_are_told_before_anybody_is_asked(tmp_path, template, message):
    (tmp_path / "user.jinja").write_text(template)
    settings = CriticSettings(critic_base_url="http://127.0.0.1:9/v1", critic_model="m", critic_prompts=str(tmp_path))
    with pytest.raises(ConfigError, match=message):
        check_critic(settings)
