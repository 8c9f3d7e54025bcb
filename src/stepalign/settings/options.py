"""From declared settings to flags and to `--help`: one argparse option a field, one group a class.

    >>> from stepalign.settings.commands import TRAIN
    >>> parser = make_parser(TRAIN)
    >>> values, rest = parser.parse_known_args(["--num_samples", "4", "--learning_rate", "1e-4"])
    >>> values.num_samples, rest
    ('4', ['--learning_rate', '1e-4'])

Flags are only collected here, as text; the settings' own types convert and check them, as they do a recipe's values.
Settings that TRL declares are shown from a table (see `trl_table`), so that help needs neither TRL nor torch.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import Field, dataclass
from typing import Any, NoReturn, cast

from stepalign.core.errors import ConfigError
from stepalign.core.settings import REQUIRED, default_of, fields_of, hints, is_list, options_of
from stepalign.settings.trl_table import TrlSetting, trl_settings


@dataclass(frozen=True)
class CommandSettings:
    """What a command can be told.

    Attributes:
        name: of the command.
        usage: one line, without the program's name.
        description: what `--help` says first.
        groups: its settings, the most wanted class first.
        essentials: names that `--help` shows before all others.
        takes_trl: whether the settings of TRL and Hugging Face's Trainer belong to it.
        accepted: names of other commands' settings that a shared recipe may hold, without effect here.
    """

    name: str
    usage: str
    description: str
    groups: tuple[type, ...]
    essentials: tuple[str, ...] = ()
    takes_trl: bool = False
    accepted: frozenset[str] = frozenset()

    @property
    def own(self) -> dict[str, type]:
        """The class of each setting that is declared here; where two have a name, the first."""
        names: dict[str, type] = {}
        for group in self.groups:
            for name in fields_of(group):
                names.setdefault(name, group)
        return names


REQUIRED_WORD = "required"


class Parser(argparse.ArgumentParser):
    """Without abbreviations; what it does not understand is a `ConfigError`."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise ConfigError(f"command line: {message}")


def make_parser(command: CommandSettings) -> Parser:
    """A parser of a command's own settings; only those given end up in its namespace."""
    parser = Parser(prog=f"stepalign {command.name}", allow_abbrev=False, add_help=False)
    for name, group in command.own.items():
        add_option(parser, name, group)
    return parser


def add_option(parser: Parser, name: str, group: type) -> None:
    """One option for one setting."""
    item, hint = fields_of(group)[name], hints(group)[name]
    if item.metadata.get("positional"):
        parser.add_argument(name, nargs="?", default=argparse.SUPPRESS)
    elif is_list(hint):
        parser.add_argument(f"--{name}", nargs="+", action="extend", default=argparse.SUPPRESS)
    elif hint is bool:
        parser.add_argument(f"--{name}", nargs="?", const="true", default=argparse.SUPPRESS)
    else:
        parser.add_argument(f"--{name}", default=argparse.SUPPRESS)


def help_text(command: CommandSettings, everything: bool = False) -> str:
    """What `--help` prints: essentials, then each group, then how to see TRL's; all of them with `everything`."""
    formatter = argparse.HelpFormatter("", max_help_position=8, width=shutil.get_terminal_size().columns - 2)
    formatter.add_text(f"usage: stepalign {command.usage}")
    text = [formatter.format_help(), command.description.strip(), ""]
    table = {entry.name: entry for entry in trl_settings()} if command.takes_trl else {}
    own = command.own
    shown = [name for name in command.essentials if name in own or name in table]
    text += _section("essentials", (_own(own, name) if name in own else _trl(table[name]) for name in shown))
    for group in command.groups:
        names = [name for name, owner in own.items() if owner is group and name not in shown]
        text += _section((group.__doc__ or group.__name__).splitlines()[0].rstrip("."), (_own(own, n) for n in names))
    if not command.takes_trl:
        return "\n".join(text)
    if not everything:
        end = "Every other setting of TRL and Hugging Face's TrainingArguments works too: --help_all lists them."
        return "\n".join([*text, *_wrapped(end, "")])
    others = [entry for entry in table.values() if entry.name not in own and entry.name not in shown]
    return "\n".join([*text, *_section("TRL and Hugging Face", (_trl(entry) for entry in others))])


def _own(own: dict[str, type], name: str) -> tuple[str, str, str]:
    item: Field[Any] = fields_of(own[name])[name]
    default, choices = default_of(item), options_of(hints(own[name])[name])
    said = item.metadata.get("help", "")
    if choices and not all(str(word) in said for word in choices):
        said = f"{said} One of: {', '.join(map(str, choices))}."
    return ("" if item.metadata.get("positional") else "--") + name, _shown(default), said


def _trl(entry: TrlSetting) -> tuple[str, str, str]:
    return f"--{entry.name}", entry.default, entry.help


def _shown(default: object) -> str:
    if default is REQUIRED:
        return REQUIRED_WORD
    if default is None or default == "" or default == []:
        return "none"
    return " ".join(map(str, cast("list[object]", default))) if isinstance(default, list) else str(default)


def _section(title: str, entries: Iterable[tuple[str, str, str]]) -> list[str]:
    lines: list[str] = []
    for option, default, said in entries:
        head = f"{option} ({default if default == REQUIRED_WORD else f'default: {default}'})"
        lines += _wrapped(head, "  ")
        lines += _wrapped(said, "        ")
    return [*_wrapped(f"{title}:", ""), *lines, ""] if lines else []


def _wrapped(text: str, indent: str) -> Sequence[str]:
    import textwrap

    width = max(40, shutil.get_terminal_size().columns - 2)
    return textwrap.wrap(" ".join(text.split()), width, initial_indent=indent, subsequent_indent=indent)
