import sys

import pytest

from stepalign.core.critique import Context
from stepalign.core.errors import ConfigError
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.feedback.formats import (
    FeedbackFormat,
    build_context,
    feedback_class,
    feedback_names,
    load_plugins,
    register_feedback,
)
from stepalign.micro import exact_critique

PROBLEM = Problem("p", "Start with 47. Add 38.", "85", solution="47 and 38 are 85.")
WRONG = Rollout(PROBLEM, 0, "<step_1>Now add 38: 7+8=15; 4+3=7. So 75.</step_1>\n<answer>75</answer>")


def critic(rollouts):
    return [exact_critique(r) for r in rollouts]


def test_refsol_gives_the_reference_solution_and_none_where_there_is_none():
    assert build_context(WRONG, "refsol") == Context("47 and 38 are 85.")
    assert build_context(Rollout(Problem("q", "x", "1"), 0, ""), "refsol") is None


def test_stepalign_gives_the_critiques_text_and_keeps_the_critique():
    context = build_context(WRONG, "stepalign", critic)
    assert context is not None and context.critique is not None
    assert context.text == context.critique.text
    assert "7+8=15 carry 1; 4+3+1=8. So 85." in context.text or "15" in context.text
    assert context.critique.case == "D"


def test_a_rollout_without_a_critique_has_no_context():
    contexts = feedback_class("stepalign")(lambda rollouts: [None for _ in rollouts]).contexts([WRONG])
    assert contexts == [None]


def test_a_format_that_needs_a_critic_says_so_before_anything_runs():
    with pytest.raises(ConfigError, match="needs a critic; got none"):
        feedback_class("stepalign")(None)


def test_a_user_adds_a_format_in_a_few_lines_of_a_file(tmp_path):
    plugin = tmp_path / "nudge_format.py"
    plugin.write_text(
        "from stepalign.core.critique import Context\n"
        "from stepalign.feedback.formats import FeedbackFormat, register_feedback\n"
        "@register_feedback('nudge')\n"
        "class Nudge(FeedbackFormat):\n"
        "    def contexts(self, rollouts):\n"
        "        return [Context(f'The answer is {r.problem.answer}.') for r in rollouts]\n"
    )
    load_plugins([str(plugin)])
    assert build_context(WRONG, "nudge") == Context("The answer is 85.")
    assert "nudge" in feedback_names()


def test_a_plugin_that_does_not_import_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot import 'no_such_module_here'"):
        load_plugins(["no_such_module_here"])
    with pytest.raises(ConfigError, match="cannot import"):
        load_plugins([str(tmp_path / "missing.py")])


def test_an_unknown_format_gets_a_suggestion():
    with pytest.raises(ConfigError, match="perhaps you meant 'refsol'"):
        build_context(WRONG, "refsoll")


def test_a_format_knows_its_name():
    @register_feedback("named")
    class Named(FeedbackFormat):
        pass

    assert Named.name == "named"


def test_a_module_of_the_current_directory_is_a_plugin(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    text = "from stepalign import Context, FeedbackFormat, register_feedback\n"
    text += "@register_feedback('nothing')\nclass Nothing(FeedbackFormat):\n"
    text += "    def contexts(self, rollouts):\n        return [None for _ in rollouts]\n"
    (tmp_path / "plugin_of_mine.py").write_text(text)
    load_plugins(["plugin_of_mine"])
    assert build_context(WRONG, "nothing") is None


def test_a_plugin_with_an_error_says_where(tmp_path):
    (tmp_path / "broken.py").write_text("x = 1\ny = 1 / 0\n")
    with pytest.raises(ConfigError, match=r"ZeroDivisionError: division by zero \(broken\.py, line 2\)"):
        load_plugins([str(tmp_path / "broken.py")])
