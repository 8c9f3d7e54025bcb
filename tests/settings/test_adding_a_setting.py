"""Adding a setting touches one declaration: a copy of the package with one more is told of it everywhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import stepalign

ANCHOR = '    plugins: list[str] = setting([], "Modules or .py files that register feedback formats of your own.")\n'
DECLARED = '    num_moons: AtLeast1 = setting(2, "Moons over the training, for nothing.")\n'


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(Path(stepalign.__file__).parent, root / "stepalign", ignore=shutil.ignore_patterns("__pycache__"))
    groups = root / "stepalign" / "settings" / "groups.py"
    assert ANCHOR in groups.read_text()
    groups.write_text(groups.read_text().replace(ANCHOR, ANCHOR + DECLARED))
    return root


def run(copy, *argv):
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    command = [sys.executable, "-m", "stepalign", *argv]
    return subprocess.run(command, env=environment, cwd=copy, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("command", ["train", "compare"])
def test_it_is_in_the_help(copy, command):
    assert "--num_moons (default: 2)" in run(copy, command, "--help").stdout


def test_it_is_checked_by_its_type_and_suggested(copy):
    assert "num_moons: got 0; expected 1 or more" in run(copy, "train", "--num_moons", "0", "--dry_run").stderr
    assert "perhaps you meant 'num_moons'" in run(copy, "train", "--num_moon", "3", "--dry_run").stderr


def test_it_is_a_recipes_key_and_in_the_record(copy, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("extends: micro\nnum_moons: 5\n")
    size = ["--max_steps", "1", "--per_device_train_batch_size", "2", "--micro_num_train", "2"]
    done = run(
        copy, "train", "--config", str(recipe), *size, "--condition", "refsol", "--output_dir", str(tmp_path / "r")
    )
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load((tmp_path / "r" / "config.yaml").read_text())["num_moons"] == 5


def test_it_is_a_keyword_argument(copy, tmp_path):
    code = f"import stepalign; stepalign.train('micro', condition='refsol', num_moons=0, output_dir='{tmp_path}')"
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert "num_moons: got 0; expected 1 or more" in done.stderr
