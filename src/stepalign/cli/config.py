"""Recipes and flags: flat YAML with command-line overrides, parsed by a fresh `TrlParser` each time.

Unknown keys are checked here, first, so that a typo gets a suggestion. `--config` takes a path or the name of a shipped
recipe (`--config micro`). A recipe may build on another: `extends: base` takes that file's settings first, found beside
the recipe or among the shipped ones; its own win.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

import yaml

from stepalign.core.errors import ConfigError, suggest

RECIPES = Path(__file__).parent.parent / "recipes"


def find_recipe(name: str) -> Path:
    """The file of a recipe given by path or by the name of a shipped one.

    Raises:
        ConfigError: neither exists.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = {str(p.relative_to(RECIPES).with_suffix("")): p for p in RECIPES.rglob("*.yaml")}
    if name in shipped:
        return shipped[name]
    raise ConfigError(f"no recipe '{name}': not a file{suggest(name, shipped)} (shipped recipes).")


def read_recipe(name: str) -> dict[str, Any]:
    """The flat mapping of a recipe, with what it extends.

    Raises:
        ConfigError: no such recipe, not YAML (with the line), not a mapping, or recipes that extend each other.
    """
    recipe, chain = _read_mapping(name), [find_recipe(name)]
    while "extends" in recipe:
        base = str(recipe.pop("extends"))
        beside = chain[-1].parent / f"{base.removesuffix('.yaml')}.yaml"
        path = beside if beside.is_file() else find_recipe(base)
        if path in chain:
            raise ConfigError(f"{path} extends itself by way of {name}. Take out one 'extends'.")
        chain.append(path)
        recipe = {**_read_mapping(str(path)), **recipe}
    return recipe


def _read_mapping(name: str) -> dict[str, Any]:
    path = find_recipe(name)
    try:
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    if recipe is None:
        return {}
    if not isinstance(recipe, dict):
        raise ConfigError(f"{path}: got a {type(recipe).__name__}; expected a mapping of keys to values.")
    return recipe


def field_names(types: Sequence[type]) -> list[str]:
    return [f.name for t in types for f in dataclasses.fields(t) if f.init]


def check_keys(keys: Sequence[str], known: Sequence[str], source: str) -> None:
    """Raises ConfigError for the first key that no setting has, with the nearest one."""
    for key in keys:
        if key not in known:
            hint = suggest(key, known)
            if hint.startswith("; expected"):  # hundreds of names help nobody
                hint = "; see --help and --help_all for the names"
            raise ConfigError(f"{source}: unknown setting '{key}'{hint}")


def parse_settings(
    types: Sequence[type],
    argv: Sequence[str],
    defaults: dict[str, Any] | None = None,
    overrides: dict[str, Any] | None = None,
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Instances of the dataclasses, from `defaults` < `--config` < `overrides` < flags; and the settings given.

    Raises:
        ConfigError: an unknown key or flag, or a value that does not parse.
    """
    from trl import TrlParser

    known = field_names(types)
    argv = [part for word in argv for part in (word.split("=", 1) if word.startswith("--config=") else [word])]
    recipe = dict(defaults or {})
    while "--config" in argv:
        at = argv.index("--config")
        if at + 1 == len(argv):
            raise ConfigError("--config: got nothing; expected a YAML file or the name of a shipped recipe.")
        given = read_recipe(argv[at + 1])
        check_keys([key for key in given if key != "env"], known, argv[at + 1])
        os.environ.update({key: str(value) for key, value in (given.pop("env", None) or {}).items()})
        recipe.update(given)
        del argv[at : at + 2]
    recipe.update(overrides or {})
    flags = [word[2:].split("=")[0].replace("-", "_") for word in argv if word.startswith("--")]
    parser: Any = TrlParser(list(types), allow_abbrev=False)  # pyright: ignore[reportArgumentType]
    parser.error = _raise_config_error
    # a flag and the setting it belongs to: --no_gradient_checkpointing sets gradient_checkpointing
    settings = {
        o.lstrip("-").replace("-", "_"): action.dest for action in parser._actions for o in action.option_strings
    }
    check_keys(flags, [*known, *settings], "command line")
    recipe = {key: _shaped(types, key, value) for key, value in recipe.items()}
    parser.set_defaults_with_config(**recipe)
    try:
        parsed = parser.parse_args_into_dataclasses(args=argv)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"settings: {error}") from None
    names = [settings.get(flag, flag) for flag in flags]
    given_flags = {name: getattr(instance, name) for instance in parsed for name in names if hasattr(instance, name)}
    return tuple(parsed), {**recipe, **given_flags}


def _shaped(types: Sequence[type], key: str, value: Any) -> Any:
    """A recipe's value in the shape of its setting: one value for a list is a list of one.

    Raises:
        ConfigError: a list or a mapping where one value is expected, or a number that is none.
    """
    owner = next((t for t in types if key in t.__dataclass_fields__), None)
    hint = str(get_type_hints(owner)[key]) if owner is not None else "Any"
    if value is None or "dict" in hint or "Any" in hint:
        return value
    if "list" in hint:
        return [value] if "list" in hint and "str | list" not in hint and not isinstance(value, list) else value
    if isinstance(value, list | dict):
        raise ConfigError(f"setting '{key}': got {value!r}; expected one value.")
    expects_whole = "int" in hint and "float" not in hint and "str" not in hint
    if expects_whole and (isinstance(value, str) or (isinstance(value, float) and value != int(value))):
        raise ConfigError(f"setting '{key}': got {value!r}; expected a whole number.")
    if "float" in hint and "str" not in hint and isinstance(value, str):
        try:
            return float(value)  # YAML reads 1e-4 as text
        except ValueError:
            raise ConfigError(f"setting '{key}': got {value!r}; expected a number.") from None
    return value


def _raise_config_error(message: str) -> NoReturn:
    raise ConfigError(f"command line: {message}")


def print_settings(
    types: Sequence[type], usage: str, description: str, common: Sequence[str], everything: bool
) -> None:
    """Help: our own settings and the common ones of TRL and Hugging Face, or all of them."""
    out = sys.stdout
    print(f"usage: {usage}\n\n{description}\n", file=out)
    for cls in types:
        own = inspect.get_annotations(cls)
        fields = [f for f in dataclasses.fields(cls) if f.init and (everything or f.name in own or f.name in common)]
        if not everything and cls.__module__.startswith("trl"):
            fields = [f for f in fields if f.name in common]
        if fields:
            print(f"{cls.__name__}:", file=out)
        for f in sorted(fields, key=lambda f: f.name not in own):
            print(f"  --{f.name} (default: {_default(f)})", file=out)
            print(f"        {' '.join(str(f.metadata.get('help', '')).replace('%%', '%').split())}", file=out)
    if not everything:
        print("\nEvery other setting of TRL and Hugging Face's TrainingArguments works too: --help_all lists them.")


def _default(f: dataclasses.Field[Any]) -> str:
    value = f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default
    return "required" if value is dataclasses.MISSING else "none" if value is None else str(value)
