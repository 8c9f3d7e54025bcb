import subprocess
import sys
from importlib.metadata import version

import pytest

import stepalign
from stepalign.cli.main import COMMANDS

LAZY = """
import sys, stepalign
from stepalign import parse_trace
assert parse_trace('<step_1>a</step_1>').steps[0].text == 'a'
heavy = {'torch', 'transformers', 'trl', 'jinja2'} & set(sys.modules)
assert not heavy, heavy
"""
HELP = """
import sys
from stepalign.cli import main
try:
    main(['--help'])
except SystemExit:
    pass
heavy = {'torch', 'transformers', 'trl', 'numpy', 'jinja2', 'yaml', 'rich'} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.mark.parametrize("name", stepalign.__all__)
def test_every_public_name_is_there(name):
    assert getattr(stepalign, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = stepalign.nope


@pytest.mark.parametrize("code", [LAZY, HELP], ids=["import", "help"])
def test_nothing_heavy_is_imported_before_it_is_needed(code):
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, timeout=120)


def test_the_commands_are_these():
    assert set(COMMANDS) >= {"compare", "train", "evaluate", "grade", "report", "micro", "critique", "cache"}


def test_the_version_is_that_of_the_package():
    assert stepalign.__version__ == version("stepalign")


@pytest.mark.parametrize("first", ["", "import stepalign.report.comparison"])
def test_report_is_a_room_and_a_function(first, tmp_path):
    code = f"{first}\nimport stepalign\nfrom stepalign import report\nassert report is stepalign.report\n"
    code += f"try:\n    report({str(tmp_path)!r})\nexcept stepalign.core.errors.DataError as error:\n    print(error)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert str(tmp_path) in done.stdout, done.stderr


def test_every_command_with_a_result_is_a_function():
    named = {name for name in COMMANDS if callable(getattr(stepalign, name, None))}
    assert named >= {"train", "compare", "evaluate", "grade", "inspect", "preflight", "critique", "curate", "report"}
