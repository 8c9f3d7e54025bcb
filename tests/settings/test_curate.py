import pytest

from stepalign.core.errors import ConfigError
from stepalign.curation import Curation
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.settings.curate import CurateSettings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_samples": 0}, "num_samples: got 0; expected 1 or more"),
        ({"num_problems": -1}, "num_problems: got -1; expected 0 or more"),
        ({"min_format_rate": 1.5}, "min_format_rate: got 1.5; expected a share"),
        ({"correct_rate_above": 0.4}, "correct_rate_below: got 0.3125; expected more than correct_rate_above, 0.4"),
        ({"num_problems": 60}, "num_validation and num_test take 60 of num_problems 60"),
        ({"where": ["level"]}, "where: got 'level'; expected name=value"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ConfigError, match=message):
        CurateSettings(**settings)


def test_bounds_outside_0_to_1_let_all_problems_pass():
    arguments = CurateSettings(correct_rate_above=-1, correct_rate_below=1.1)
    assert arguments.correct_rate_above < 0 and arguments.correct_rate_below > 1


def test_how_many_and_how_fast_may_change_later():
    one = CurateSettings(solver_base_url="http://a/v1")
    other = CurateSettings(solver_base_url="http://b/v1", num_problems=400, num_test=3, solver_concurrency=2)
    assert one.deciding() == other.deciding()
    assert one.deciding() != CurateSettings(solver_base_url="http://a/v1", seed=1).deciding()
    assert one.deciding() != CurateSettings().deciding()  # another solver: in process


def test_what_is_needed(tmp_path):
    with pytest.raises(ConfigError, match="curate needs source"):
        Curation(CurateSettings(output_dir=str(tmp_path)))
    with pytest.raises(ConfigError, match="curate needs output_dir"):
        Curation(CurateSettings(source="gsm8k"))
    with pytest.raises(ConfigError, match="critic 'exact' gives none; expected one of: openai, local"):
        Curation(CurateSettings(source="gsm8k", output_dir=str(tmp_path)), CriticSettings(critic="exact"))
