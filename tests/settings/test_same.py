import pytest

from stepalign.core.errors import ConfigError
from stepalign.core.settings import may_change
from stepalign.settings.command_groups import EvaluateSettings
from stepalign.settings.curate import CurateSettings
from stepalign.settings.groups import ColumnsSettings, LogSettings, TrainSettings
from stepalign.settings.same import check_same

STORED = {"seed": 1, "jobs": 2, "seeds": [0, 1]}


def test_what_decides_the_result_must_be_the_same():
    check_same(STORED, dict(STORED), "d holds a run")
    with pytest.raises(
        ConfigError, match=r"d holds a run with other settings: seed is 1 there and 2 now\. Use another"
    ):
        check_same(STORED, {**STORED, "seed": 2}, "d holds a run")
    with pytest.raises(ConfigError, match=r"\(and 1 more\)"):
        check_same(STORED, {**STORED, "seed": 2, "new": 1}, "d holds a run")


def test_what_may_change_and_what_may_grow():
    check_same(STORED, {**STORED, "jobs": 4}, "d holds a run", may_change=["jobs"])
    check_same(STORED, {**STORED, "seeds": [0, 1, 2]}, "d holds a run", may_grow=["seeds"])
    with pytest.raises(ConfigError, match="seeds is"):
        check_same(STORED, {**STORED, "seeds": [0]}, "d holds a run", may_grow=["seeds"])


def test_a_key_that_earlier_versions_did_not_write_is_no_difference():
    check_same(STORED, {**STORED, "world": "micro"}, "d holds a run")
    with pytest.raises(ConfigError, match="world is own there"):
        check_same({**STORED, "world": "own"}, {**STORED, "world": "micro"}, "d holds a run")


def test_each_setting_says_itself_whether_it_may_change():
    assert {"solver_concurrency", "num_problems", "output_dir"} <= may_change(CurateSettings)
    assert "seed" not in may_change(CurateSettings, EvaluateSettings)
    assert may_change(LogSettings) == {"rollouts_format", "sample_columns"}  # what they say is compared
    assert may_change(ColumnsSettings, TrainSettings) & {"columns", "train_problems"} == set()
