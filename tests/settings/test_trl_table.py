"""The table of TRL's settings is what the installed TRL says."""

import json

from scripts.trl_table import rows

from stepalign.settings.trl_table import TABLE, trl_names


def test_the_table_is_that_of_the_installed_trl():
    assert json.loads(TABLE.read_text()) == rows(), "run: python -m scripts.trl_table"


def test_a_setting_is_known_by_each_of_its_spellings():
    names = trl_names()
    assert names["adam_beta1"] == "adam_beta1"
    assert names["no_gradient_checkpointing"] == "gradient_checkpointing"
    assert "divergence" not in names and "condition" not in names  # ours are declared, not listed
