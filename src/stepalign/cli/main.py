"""`stepalign COMMAND ...`: find the command, run it, and turn what went wrong into one message and an exit code.

A command is a module with one function and one line in COMMANDS. It is imported only when it is called, so
`stepalign --help` is quick; its own imports belong into `run`.

    def run(argv): ...      # the words after the name; raises a StepalignError for what the user can put right

Exit codes: 0 done; 2 a usage, data or file error; 130 interrupted.
"""

from __future__ import annotations

import argparse
import errno
import io
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

from stepalign.core.errors import StepalignError, suggest

EXAMPLE = """\
example:
  stepalign grade --problems problems.jsonl --samples samples.jsonl --output_dir graded

'stepalign COMMAND --help' explains a command. '--debug' shows the traceback of an error."""


class Command(NamedTuple):
    """Where a command lives and the line about it in `stepalign --help`."""

    module: str
    help: str


COMMANDS = {
    "compare": Command("stepalign.cli.compare", "train several conditions alike, evaluate them, and report"),
    "train": Command("stepalign.cli.train", "train one condition from a recipe"),
    "inspect": Command("stepalign.cli.inspect", "see what contexts teach on one response, token by token"),
    "localize": Command("stepalign.cli.localize", "does a context find the step that people marked as wrong?"),
    "preflight": Command("stepalign.cli.preflight", "before training: what would a feedback format teach? Go or no-go"),
    "evaluate": Command("stepalign.cli.evaluate", "sample a model on problems; pass@k, maj@k, avg@k with intervals"),
    "micro": Command("stepalign.cli.micro", "write problems of the micro world"),
    "curate": Command("stepalign.cli.curate", "find problems to train on: the solver half masters, the critic solves"),
    "data": Command("stepalign.cli.data", "read problems of any shape; show them or write them as ours"),
    "grade": Command("stepalign.cli.grade", "grade sampled responses by mathematical equality with the true answers"),
    "critique": Command("stepalign.cli.critique", "critique given samples with a language model or the exact critic"),
    "cache": Command("stepalign.cli.cache", "show or prune the cache of critics' replies"),
    "report": Command("stepalign.cli.report", "write the report of any command's directory as one HTML file"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after the program's name; None takes those of the process.
    Returns:
        The exit code.
    Raises:
        SystemExit: by argparse, with 0 for `--help` and `--version`, 2 for an option that it does not have.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    return guarded(lambda: _run([argument for argument in arguments if argument != "--debug"]), debug=debug)


def guarded(work: Callable[[], int | None], *, debug: bool = False) -> int:
    """Do `work`; what the user can put right becomes one message on stderr and an exit code.

    Args:
        work: returns an exit code; None is 0.
        debug: also print the traceback.
    """
    for stream in (sys.stdout, sys.stderr):  # a console that lacks a character must not end a run: LANG=C, code pages
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        return work() or 0
    except (StepalignError, OSError, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        if isinstance(error, KeyboardInterrupt):
            return _fail("interrupted. What was written stays.", code=130)
        return _fail(_explain_os_error(error) if isinstance(error, OSError) else str(error))


def _run(arguments: list[str]) -> int | None:
    name = arguments[0] if arguments else ""
    if not name or name.startswith("-"):
        parser = _parser()
        parser.parse_args(arguments)  # ends the program on --help, --version and what is unknown
        parser.print_help(sys.stderr)
        return 2
    if name not in COMMANDS:
        return _fail(f"unknown command '{name}'{suggest(name, COMMANDS)}")
    return import_module(COMMANDS[name].module).run(arguments[1:])


def _parser() -> argparse.ArgumentParser:
    """The help of the program, a line a command."""
    parser = argparse.ArgumentParser(
        prog="stepalign",
        description="Self-distillation from feedback that follows the model's own reasoning step by step.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for name, command in COMMANDS.items():
        subparsers.add_parser(name, help=command.help, add_help=False)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: reading the package's metadata takes a while."""

    def __call__(self, parser: argparse.ArgumentParser, *unused: object) -> None:
        from importlib.metadata import version

        print(f"stepalign {version('stepalign')}")
        parser.exit()


def _explain_os_error(error: OSError) -> str:
    what = error.strerror or str(error)
    if error.filename is not None:
        what = f"{error.filename}: {what}"
    remedies = {
        errno.ENOSPC: "Free some space, or choose another output directory, and run again.",
        errno.EDQUOT: "Free some space, or choose another output directory, and run again.",
        errno.EACCES: "Change the permissions or choose another path.",
        errno.EROFS: "Choose a path that can be written to.",
    }
    return f"{what}. {remedies.get(error.errno or 0, '')}".rstrip()


def _fail(message: str, code: int = 2) -> int:
    print(f"stepalign: {message}", file=sys.stderr)
    return code
