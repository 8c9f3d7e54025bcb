import errno
import os
import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

import stepalign.cli.main  # noqa: F401 - the module lies behind the function of the same name
from stepalign.cli import main
from stepalign.core.errors import DataError

module = sys.modules["stepalign.cli.main"]


@pytest.fixture
def command(monkeypatch):
    """Registers a command `try` that does what the test says."""

    def register(run, **functions):
        monkeypatch.setitem(module.COMMANDS, "try", module.Command("the.module", "try something"))
        fake = SimpleNamespace(run=run, **functions)
        monkeypatch.setattr(module, "import_module", {"the.module": fake}.__getitem__)
        return fake

    return register


def fail_with(error):
    def run(args):
        raise error

    return run


def test_help_has_a_line_for_each_command_and_imports_none():
    script = (
        "import sys\nfrom stepalign.cli import main\ntry:\n    main(['--help'])\nfinally:\n"
        "    heavy = {'torch', 'transformers', 'jinja2', 'numpy', 'mpmath', 'tqdm', 'yaml'}\n"
        "    commands = {name for name in sys.modules if name.startswith('stepalign.')}\n"
        "    print(sorted(heavy & set(sys.modules)), sorted(commands))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout.endswith(
        "[] ['stepalign.cli', 'stepalign.cli.main', 'stepalign.core', 'stepalign.core.errors']\n"
    )
    text = " ".join(done.stdout.split())
    for name, command in module.COMMANDS.items():
        assert f"{name} {command.help}" in text
    assert "example:" in text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_console_without_a_character_loses_it_and_not_the_run(encoding):
    script = (
        "import sys\nfrom stepalign.cli.main import guarded\nfrom rich.console import Console\n"
        "def work():\n    print('r\\u00e9f \\u2192')\n    Console().print('\\u2713')\n"
        "    print('\\u2713', file=sys.stderr)\n    raise OSError(2, 'none', '\\ud83d.txt')\n"
        "sys.exit(guarded(work))"
    )
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment, timeout=60)
    assert done.returncode == 2 and done.stdout.startswith(b"r?f ?" if encoding == "ascii" else b"r\xe9f ?")
    assert done.stdout.split() == [*done.stdout.split()[:2], b"?"]
    assert done.stderr.split() == [b"?", b"stepalign:", b"?.txt:", b"none."]


def test_each_line_of_the_table_leads_to_a_module():
    assert [name for name, command in module.COMMANDS.items() if find_spec(command.module) is None] == []


def test_a_command_explains_itself(capsys):
    assert main(["grade", "--help"]) == 0
    assert "usage: stepalign grade" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.startswith("stepalign 0.")


def test_python_dash_m():
    done = subprocess.run([sys.executable, "-m", "stepalign", "gradee"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr == "stepalign: unknown command 'gradee'; perhaps you meant 'grade'?\n"


def test_no_command_prints_the_help(capsys):
    assert main([]) == 2
    assert "commands:" in capsys.readouterr().err


def test_arguments_that_are_not_accepted(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--nope"])
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["grade"],
            "grade needs samples: Responses: problem_id, sample, text; or what TRL, verl, ms-swift, prime-rl or "
            "tinker-cookbook logged, or conversations; docs/data.md. Set it: --samples ...",
        ),
        (["grade", "--nope", "1"], "command line: unknown setting 'nope'; see --help for the names"),
        (["grade", "--problem", "p"], "unknown setting 'problem'; perhaps you meant 'problems'?"),
        (["grade", "more"], "command line: got 'more', which belongs to no setting"),
        (["report"], "report needs run: DIR: the output directory"),
    ],
)
def test_a_usage_error_is_one_short_message(arguments, message, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1


def test_dashes_and_underscores_spell_the_same_flag(tmp_path, capsys):
    for flag in ("--num_train", "--num-train"):
        assert main(["micro", "--output-dir", str(tmp_path), flag, "3"]) == 0
        assert "train.jsonl: 3 problems" in capsys.readouterr().out


def test_the_exit_code_is_that_of_the_command(command):
    command(lambda args: None)
    assert main(["try"]) == 0
    command(lambda args: 3)
    assert main(["try"]) == 3


def test_a_command_gets_its_arguments(command):
    got = []
    command(got.append)
    assert main(["try", "--learning_rate", "1", "--debug"]) == 0
    assert got == [["--learning_rate", "1"]]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (DataError("p.jsonl, line 3: 'id' is missing."), 2, "stepalign: p.jsonl, line 3: 'id' is missing.\n"),
        (
            KeyboardInterrupt(),
            130,
            "stepalign: interrupted. What was written stays.\n",
        ),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
            2,
            "stepalign: No space left on device. Free some space, or choose another output directory, and run again.\n",
        ),
        (
            PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/out/grades.json"),
            2,
            "stepalign: /out/grades.json: Permission denied. Change the permissions or choose another path.\n",
        ),
    ],
)
def test_errors_are_one_message(command, capsys, error, code, message):
    command(fail_with(error))
    assert main(["try"]) == code
    assert capsys.readouterr().err == message
    assert main(["try", "--debug"]) == code
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback") and shown.endswith(message)


def test_our_own_bugs_are_not_hidden(command):
    command(fail_with(AssertionError("a bug")))
    with pytest.raises(AssertionError, match="a bug"):
        main(["try"])
