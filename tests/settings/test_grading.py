import pytest

import stepalign
from stepalign.core.errors import ConfigError
from stepalign.grading import ANSWER_PATTERNS, Grader, OwnGrader
from stepalign.settings.commands import COMPARE, CRITIQUE, CURATE, EVALUATE, GRADE, PREFLIGHT, TRAIN
from stepalign.settings.grading import GradingSettings, check_grading, make_grader


@pytest.mark.parametrize(
    "command", [COMPARE, CRITIQUE, CURATE, EVALUATE, GRADE, PREFLIGHT, TRAIN], ids=lambda c: c.name
)
def test_every_command_that_grades_takes_a_grader_and_patterns(command):
    assert {"grader", "answer_patterns"} <= command.own.keys()


def test_the_default_is_mathematical_equality_and_every_named_pattern():
    assert GradingSettings().answer_patterns == list(ANSWER_PATTERNS)
    assert "answer_is" in ANSWER_PATTERNS
    with make_grader(GradingSettings(), num_workers=2) as grader:
        assert isinstance(grader, Grader) and grader.grade("The answer is 12.", "12").is_correct


def test_a_grader_of_ones_own(tmp_path):
    (tmp_path / "mine.py").write_text("def grade(text, problem):\n    return len(text) / 2\n")
    own = make_grader(GradingSettings(grader=f"{tmp_path}/mine.py:grade"))
    assert isinstance(own, OwnGrader) and own.grade("x", "1").score == 0.5


def test_an_object_that_grades_is_taken_as_it_is():
    from stepalign.core.own import name_of

    grader = Grader(patterns=["boxed"])
    assert make_grader(GradingSettings(grader=name_of(grader))) is grader


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"grader": "mine"}, r"'mine' names no function; expected file\.py:function"),
        ({"grader": "json:nothing"}, "json has no 'nothing'"),
        ({"grader": "json:__name__"}, "is no function"),
        ({"answer_patterns": ["box"]}, "perhaps you meant 'boxed'"),
        ({"answer_patterns": ["Result: ("]}, "is no regular expression"),
    ],
)
def test_what_is_no_grader_is_told_before_anything_is_loaded(settings, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        check_grading(GradingSettings(**settings))
    with pytest.raises(ConfigError, match=message):
        stepalign.train("micro", condition="refsol", output_dir=tmp_path / "never", **settings)
    assert not (tmp_path / "never").exists()
