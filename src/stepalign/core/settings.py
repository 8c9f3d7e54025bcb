"""One way to declare a setting: a typed field of a `Settings` class with its default and its one docstring.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Sampling(Settings):
    ...     num_samples: AtLeast1 = setting(12, "Responses sampled for each problem.")
    ...     top_p: Share = setting(1.0, "Nucleus sampling; 1 keeps everything.")
    >>> Sampling(num_samples="4").num_samples
    4

The type is the check: values are converted and checked by pydantic when an instance is made, so a recipe's `1e-4`, a
flag's text and a keyword argument's number all end as the same value, or as the same message. `may_change` marks what
may differ when a run is taken up again. The settings room makes flags, recipes' keys and `--help` of the same fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args, get_origin, get_type_hints

from annotated_types import Ge, Le

from stepalign.core.errors import ConfigError, suggest

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

AtLeast0 = Annotated[int, Ge(0)]
AtLeast1 = Annotated[int, Ge(1)]
NonNegative = Annotated[float, Ge(0)]
Share = Annotated[float, Ge(0), Le(1)]


def setting(default: object, help: str, *, may_change: bool = False, positional: bool = False) -> Any:
    """A field of a `Settings` class; lists and dicts are copied for each instance.

    Args:
        default: `REQUIRED` where there is none.
        help: what `--help` shows: meaning, unit, what 0 or none does.
        may_change: whether a run may be taken up again with another value.
        positional: on the command line it stands without its name.
    """
    marks = {"may_change": may_change, "positional": positional}
    # TRL's parser hands metadata on to argparse, which knows help alone: no mark where there is nothing to say
    metadata = {"help": help} | {mark: True for mark, is_set in marks.items() if is_set}
    if isinstance(default, list | dict):
        template = cast("list[object]", default)
        return field(default_factory=template.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


REQUIRED = MISSING


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of all groups of settings: frozen, and checked when made.

    Raises:
        ConfigError: a value is of another type than its setting, or out of its bounds.
    """

    def __post_init__(self) -> None:
        check_values(self, names_of(type(self)))


def names_of(kind: type) -> list[str]:
    """The names of a class's settings, in the order of their declaration."""
    return [item.name for item in fields(kind) if item.init]


def fields_of(kind: type) -> dict[str, Field[Any]]:
    """The settings of a class by name."""
    return {item.name: item for item in fields(kind) if item.init}


def may_change(*kinds: type) -> set[str]:
    """The names of the settings that may differ when a run is taken up again."""
    return {name for kind in kinds for name, item in fields_of(kind).items() if item.metadata.get("may_change")}


def default_of(item: Field[Any]) -> object:
    """The default of a setting, `REQUIRED` where it has none."""
    return item.default_factory() if item.default_factory is not MISSING else item.default


def check_values(instance: object, names: Iterable[str]) -> None:
    """Convert and check some fields of a dataclass in place.

    Raises:
        ConfigError: the first value that does not fit, with what was expected.
    """
    for name in names:
        value = getattr(instance, name)
        fitting = converted(type(instance), name, value)
        if fitting != value:  # a whole number for a float stays as it was written
            object.__setattr__(instance, name, fitting)


def converted(kind: type, name: str, value: object) -> Any:
    """A value in the type of a setting; one value for a list is a list of one.

    Raises:
        ConfigError: it does not fit.
    """
    from pydantic import ValidationError

    hint = hints(kind)[name]
    if is_list(hint) and isinstance(value, str | int | float):
        value = [value]
    if isinstance(value, str) and is_mapping(hint) and not options_of(hint):
        value = _json_object(name, value)
    try:
        return adapter(kind, name).validate_python(value)
    except ValidationError as error:
        raise ConfigError(_words(name, value, error.errors()[-1], hint)) from None


@lru_cache(maxsize=64)
def hints(kind: type) -> Mapping[str, Any]:
    """The types of a class's fields, with their bounds."""
    return get_type_hints(kind, include_extras=True)


@lru_cache(maxsize=1024)
def adapter(kind: type, name: str) -> TypeAdapter[Any]:
    """What checks one field of a class."""
    from pydantic import ConfigDict, TypeAdapter

    return TypeAdapter(hints(kind)[name], config=ConfigDict(coerce_numbers_to_str=True, arbitrary_types_allowed=True))


def options_of(hint: object) -> list[Any]:
    """The words among which a setting chooses; none where its values are open. Lists choose each of theirs."""
    inner = [hint] if str(get_origin(hint)).endswith("Literal") else get_args(hint)
    return [word for part in inner if str(get_origin(part)).endswith("Literal") for word in get_args(part)]


def is_list(hint: object) -> bool:
    """Whether a setting takes several values."""
    return get_origin(hint) is list or any(get_origin(part) is list for part in get_args(hint))


def is_mapping(hint: object) -> bool:
    """Whether a setting takes a mapping and no text: text is then JSON."""
    parts = {get_origin(part) or part for part in (hint, *get_args(hint))}
    return dict in parts and str not in parts


def _json_object(name: str, text: str) -> object:
    import json

    try:
        value: object = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"setting '{name}': expected a JSON object; got {text!r} ({error})") from None
    if not isinstance(value, dict):
        raise ConfigError(f"setting '{name}': expected a JSON object; got {text!r}")
    return cast("object", value)


def _words(name: str, value: object, error: ErrorDetails, hint: object) -> str:
    """pydantic's finding in the words of this program: what, got, expected."""
    kind, bounds = error["type"], error.get("ctx", {})
    got = error["input"] if is_list(hint) else value
    options = options_of(hint)
    if kind == "literal_error" or (options and isinstance(got, str)):
        return f"unknown {name.replace('_', ' ') if name in NOUNS else name} '{got}'{suggest(str(got), options)}"
    if kind in ("greater_than_equal", "less_than_equal"):
        least_and_most = {type(part): part for part in _bounds(hint)}
        if Ge in least_and_most and Le in least_and_most:
            return f"{name}: got {got}; expected a share between 0 and 1."
        word = f"{bounds['ge']:g} or more" if "ge" in bounds else f"{bounds['le']:g} or less"
        return f"{name}: got {got}; expected {word}."
    if isinstance(got, list | dict) and not is_list(hint):
        return f"setting '{name}': got {got!r}; expected one value."
    expected = {"int": "a whole number", "float": "a number", "bool": "true or false", "string": "text"}
    word = next((text for start, text in expected.items() if kind.startswith(start)), error["msg"].lower())
    return f"setting '{name}': got {got!r}; expected {word}."


NOUNS = ("divergence", "teacher")


def _bounds(hint: object) -> list[object]:
    return [bound for part in (hint, *get_args(hint)) for bound in getattr(part, "__metadata__", ())]
