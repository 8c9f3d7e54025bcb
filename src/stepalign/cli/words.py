"""Words of a command line that are no settings: help, and switches such as --dry_run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stepalign.settings.options import CommandSettings, help_text

HELP, HELP_ALL = ("--help", "-h"), ("--help_all", "--help-all")


def asks_for_help(command: CommandSettings, argv: Sequence[str]) -> bool:
    """Print the command's help where it is asked for; whether it was."""
    everything = any(word in argv for word in HELP_ALL)
    if everything or any(word in argv for word in HELP):
        print(help_text(command, everything))
        return True
    return False


def report_hint(directory: object) -> str:
    """What a command says at its end where it writes no page itself."""
    import shlex

    return f"A page about it: stepalign report {shlex.quote(str(directory))}"


def take(argv: Sequence[str], *switches: str) -> tuple[Any, ...]:
    """The words without the switches, and for each switch whether it was there."""
    spelled = {switch: {switch, f"--{switch[2:].replace('_', '-')}"} for switch in switches}
    left = [word for word in argv if not any(word in words for words in spelled.values())]
    return left, *(any(word in words for word in argv) for words in spelled.values())
