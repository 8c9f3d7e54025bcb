from dataclasses import replace

import pytest
import yaml

from stepalign.comparison.compare import Comparison, check_conditions_alike, lay_out
from stepalign.core.errors import ConfigError, DataError
from stepalign.core.files import write_text
from stepalign.core.problem import Problem
from stepalign.settings.groups import ComparisonSettings
from stepalign.settings.problems import check_splits

PROBLEMS = {
    name: [Problem(f"{name}-{i}", f"{name} {i}?", "1") for i in range(2)] for name in ("train", "validation", "test")
}


def comparison(directory, **settings):
    compare = ComparisonSettings(conditions=["refsol", "stepalign"], seeds=[0, 1])
    settings = {"learning_rate": 1e-4, "seeds": [0, 1], "jobs": 2, "output_dir": str(directory), **settings}
    return Comparison(directory, compare, settings, max_steps=4, num_checkpoints=2)


def test_every_condition_and_seed_gets_the_same_settings_but_its_own(tmp_path):
    lay_out(comparison(tmp_path), PROBLEMS)
    settings = {
        key: yaml.safe_load((directory / "settings.yaml").read_text())
        for key, directory in comparison(tmp_path).seed_directories.items()
    }
    assert len(settings) == 4
    for (condition, seed), own in settings.items():
        assert (own.pop("condition"), own.pop("seed")) == (condition, seed)
        assert own.pop("output_dir").endswith(f"{condition}/seed_{seed}")
    first, *others = settings.values()
    assert all(own == first for own in others)
    assert "seeds" not in first and first["learning_rate"] == 1e-4


def test_a_directory_is_taken_up_again_only_with_its_settings(tmp_path):
    lay_out(comparison(tmp_path), PROBLEMS)
    lay_out(comparison(tmp_path, jobs=1), PROBLEMS)  # how it is run may change
    lay_out(comparison(tmp_path, seeds=[0, 1, 2]), PROBLEMS)  # and there may be more seeds, not fewer
    with pytest.raises(ConfigError, match="seeds is"):
        lay_out(comparison(tmp_path), PROBLEMS)
    with pytest.raises(ConfigError, match="num_processes is"):  # other tokens are sampled in another number of them
        lay_out(comparison(tmp_path, num_processes=2, seeds=[0, 1, 2]), PROBLEMS)
    before = (tmp_path / "config.yaml").read_text()
    with pytest.raises(ConfigError, match=r"learning_rate is 0\.0001 there and 0\.1 now"):
        lay_out(comparison(tmp_path, learning_rate=0.1, seeds=[0, 1, 2]), PROBLEMS)
    edited = {**PROBLEMS, "test": [Problem("test-0", "another?", "1")]}
    with pytest.raises(ConfigError, match="other test problems"):
        lay_out(comparison(tmp_path, seeds=[0, 1, 2]), edited)
    assert (tmp_path / "config.yaml").read_text() == before


def test_a_problem_in_two_splits_is_an_error():
    leaked = {**PROBLEMS, "test": [Problem("other-id", "train 0?", "1")]}
    with pytest.raises(DataError, match="is in train and in test"):
        check_splits(leaked)
    namesake = replace(leaked["test"][-1], id=leaked["train"][0].id, problem="another one")
    with pytest.raises(DataError, match="two different problems, one in train and one in test, have the id"):
        check_splits({**PROBLEMS, "test": [namesake]})
    with pytest.raises(DataError, match="no validation problems"):
        check_splits({**PROBLEMS, "validation": []})


def test_conditions_that_were_not_trained_alike_are_found(tmp_path):
    run = comparison(tmp_path)
    for (condition, seed), directory in run.seed_directories.items():
        resolved = {"condition": condition, "seed": seed, "output_dir": str(directory), "temperature": 1.1}
        write_text(directory / "config.yaml", yaml.safe_dump(resolved))
    assert check_conditions_alike(run) == {"temperature": 1.1}
    odd = run.seed_directory("refsol", 1) / "config.yaml"
    write_text(odd, odd.read_text().replace("1.1", "0.7"))
    with pytest.raises(ConfigError, match=r"temperature is 1\.1 .* and 0\.7 for refsol seed 1"):
        check_conditions_alike(run)
