"""The errors a user can cause. Each says what is wrong, what was got, what was expected, and the remedy.

The command line turns any `StepalignError` into one message on stderr and exit code 2. `assert` is for our own bugs.

    >>> raise ConfigError(f"unknown condition 'stepalgin'{suggest('stepalgin', ['grpo', 'refsol', 'stepalign'])}")
    Traceback (most recent call last):
        ...
    stepalign.core.errors.ConfigError: unknown condition 'stepalgin'; perhaps you meant 'stepalign'?
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

LISTED = 20  # options that a message names


class StepalignError(Exception):
    """Base of all errors that the user can put right."""


class ConfigError(StepalignError):
    """A setting is unknown, missing or contradicts another."""


class DataError(StepalignError):
    """A file is missing, malformed or empty; the message carries the line number where there is one."""


class ModelError(StepalignError):
    """A model or tokenizer cannot be loaded or does not fit its use."""


class ShapeError(StepalignError):
    """Tensors whose shapes must agree do not."""


class CriticError(StepalignError):
    """The critic cannot be reached, or a budget for it ran out."""


def suggest(word: str, options: Iterable[str]) -> str:
    """A `; perhaps you meant 'x'?` for the nearest option, or the list of options (its start) when none is near."""
    known = sorted(set(options))
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"; perhaps you meant '{near[0]}'?"
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    return f"; expected one of: {', '.join(known[:LISTED])}{more}"


def first_line(error: Exception) -> str:
    """What another library's error says, in one line; its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def last_line(error: BaseException) -> str:
    """The last line of a traceback through a user's own code, with the place in that code."""
    text = traceback.format_exception_only(error)[-1].strip()
    if isinstance(error, SyntaxError) and error.filename:
        return f"{text} ({Path(error.filename).name}, line {error.lineno})"
    frames = [f for f in traceback.extract_tb(error.__traceback__)[1:] if "importlib" not in f.filename]
    ours = str(Path(__file__).parents[1])
    theirs = [f for f in frames if not f.filename.startswith(ours)]
    if not theirs:
        return text
    place = [f for f in theirs if f.filename == theirs[0].filename][-1]  # not where a library gave up
    return f"{text} ({Path(place.filename).name}, line {place.lineno})"
