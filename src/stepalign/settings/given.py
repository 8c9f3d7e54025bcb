"""What was given to a command or a function: a recipe's values, then keyword arguments, then flags; unknown names are
found here, before anything is loaded, each with the nearest known one.

    >>> from stepalign.settings.commands import TRAIN
    >>> from stepalign.settings.groups import TrainSettings
    >>> given = read_given(TRAIN, ["--config", "micro", "--max_steps", "9", "--condition", "refsol"])
    >>> given.make(TrainSettings).condition
    'refsol'
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

from stepalign.core.errors import ConfigError, suggest
from stepalign.core.settings import REQUIRED, converted, fields_of, names_of
from stepalign.settings.options import CommandSettings, make_parser
from stepalign.settings.recipes import read_recipe
from stepalign.settings.trl_table import trl_names

Group = TypeVar("Group")
CRITIC = "critic"
ENV = "env"  # a recipe's key for environment variables, as TrlParser has it


@dataclass(frozen=True)
class Given:
    """`values` by name, the last source winning; `trl_flags` are left for TRL's own parser, which knows their types."""

    command: CommandSettings
    values: Mapping[str, object]
    trl_flags: Sequence[str] = field(default_factory=list[str])

    def make(self, group: type[Group], **more: object) -> Group:
        """The settings of one group.

        Raises:
            ConfigError: a value does not fit, or one without a default is missing.
        """
        values = {name: self.values[name] for name in names_of(group) if name in self.values} | more
        values = {name: converted(group, name, value) for name, value in values.items()}
        for name, item in fields_of(group).items():
            missing = item.default is REQUIRED and item.default_factory is REQUIRED
            if missing and not values.get(name):
                flag = "" if item.metadata.get("positional") else f" Set it: --{name} ..."
                raise ConfigError(f"{self.command.name} needs {name}: {item.metadata['help']}{flag}")
        return group(**values)

    def get(self, name: str) -> object:
        """One value as it was given, None where it was not."""
        for i, word in enumerate(self.trl_flags):
            flag, equals, value = word.partition("=")
            if flag == f"--{name}":
                return value if equals else "".join(self.trl_flags[i + 1 : i + 2])
        return self.values.get(name)

    def record(self, group: type) -> dict[str, object]:
        """A group's values, given or default, without the checks of a whole that may not be wanted."""
        return {
            name: converted(group, name, self.values[name]) if name in self.values else item.default
            for name, item in fields_of(group).items()
        }


def read_given(command: CommandSettings, argv: Sequence[str], defaults: Mapping[str, object] | None = None) -> Given:
    """From `defaults` < each `--config` < flags.

    Raises:
        ConfigError: an unknown key or flag, or one without its value.
    """
    argv = _spelled(argv)
    values: dict[str, object] = dict(defaults or {})
    while "--config" in argv:
        at = argv.index("--config")
        if at + 1 == len(argv):
            raise ConfigError("--config: got nothing; expected a YAML file or the name of a shipped recipe.")
        values.update(_checked(command, read_recipe(argv[at + 1]), argv[at + 1]))
        del argv[at : at + 2]
    _check_flags(command, argv)
    own, rest = make_parser(command).parse_known_args(argv)
    if rest and not command.takes_trl:
        raise ConfigError(f"command line: got '{rest[0]}', which belongs to no setting. See --help.")
    return Given(command, {**values, **vars(own)}, rest)


def given_values(command: CommandSettings, config: str | None, values: Mapping[str, object]) -> Given:
    """The same of keyword arguments, over a recipe's settings.

    Raises:
        ConfigError: an unknown name.
    """
    recipe = _checked(command, read_recipe(config), config) if config is not None else {}
    return Given(command, {**recipe, **_checked(command, values, command.name)})


def check_names(command: CommandSettings, names: Sequence[str], source: str, *, is_shared: bool = False) -> None:
    """Raises ConfigError for the first name that no setting has, with the nearest one.

    Args:
        is_shared: whether the source is a recipe, which other commands may share.
    """
    known = {*command.own, *(command.accepted if is_shared else ()), *(trl_names() if command.takes_trl else ())}
    for name in names:
        if name not in known:
            hint = suggest(name, known)
            if hint.startswith("; expected"):  # hundreds of names help nobody
                hint = "; see --help" + (" and --help_all" if command.takes_trl else "") + " for the names"
            raise ConfigError(f"{source}: unknown setting '{name}'{hint}")


def _checked(command: CommandSettings, values: Mapping[str, object], source: str) -> dict[str, object]:
    check_names(command, [name for name in values if name != ENV], source, is_shared=source != command.name)
    environment = values.get(ENV)
    if isinstance(environment, Mapping):
        pairs = cast("Mapping[object, object]", environment).items()
        os.environ.update({str(name): str(value) for name, value in pairs})
    # a run without a critic writes critic: null, and its config.yaml must do as a recipe
    return {n: value for n, value in values.items() if n != ENV and not (n == CRITIC and value is None)}


def _spelled(argv: Sequence[str]) -> list[str]:
    """Flags with underscores, `--config=x` as two words."""
    words: list[str] = []
    for word in argv:
        flag, equals, value = word.partition("=")
        if flag.startswith("--"):
            flag = f"--{flag[2:].replace('-', '_')}"
            words += [flag, value] if equals and flag == "--config" else [f"{flag}{equals}{value}"]
        else:
            words.append(word)
    return words


def _check_flags(command: CommandSettings, argv: Sequence[str]) -> None:
    flags = [word[2:].split("=")[0] for word in argv if word.startswith("--")]
    check_names(command, flags, "command line")
