"""Help and flags, made of the declarations."""

import subprocess
import sys

import pytest

from stepalign.cli import main
from stepalign.cli.main import COMMANDS
from stepalign.settings.commands import CRITIQUE, EVALUATE, TRAIN
from stepalign.settings.options import help_text

HEAVY = """
import sys
from stepalign.cli import main
main([{command!r}, '--help'])
heavy = {{'torch', 'transformers', 'trl', 'numpy', 'pydantic', 'datasets'}} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_nothing_heavy(command):
    done = subprocess.run([sys.executable, "-c", HEAVY.format(command=command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: stepalign {command}")


@pytest.mark.parametrize("columns", [58, 80])
@pytest.mark.parametrize("command", [TRAIN, CRITIQUE, EVALUATE], ids=lambda command: command.name)
def test_settings_are_wrapped_at_the_width_of_the_terminal(command, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = help_text(command)
    settings = text[text.index("essentials:") :]
    assert max(map(len, settings.splitlines())) <= columns


def test_essentials_come_first_and_the_micro_dials_last():
    text = help_text(TRAIN)
    order = ["--model_name_or_path", "--train_problems", "--condition", "--output_dir", "--divergence", "--micro_seed"]
    assert [text.index(f"  {flag} (") for flag in order] == sorted(text.index(f"  {flag} (") for flag in order)
    assert text.count("--condition (default: stepalign)") == 1


def test_a_recipe_sets_any_command(tmp_path, capsys):
    (tmp_path / "e.yaml").write_text("model: micro\nproblems: none.jsonl\nnum_samples: 1e3x\noutput_dir: o\n")
    assert main(["evaluate", "--config", str(tmp_path / "e.yaml")]) == 2
    assert "setting 'num_samples': got '1e3x'; expected a whole number" in capsys.readouterr().err
