r"""Answers that a sentence states, and answers where a regular expression of the user's own finds them.

`answer_is` reads "Answer: 60", "**Final answer:** $60$" and "So the answer is 60 eggs." What follows must start like a
number or a formula; it ends with the sentence or the line.

An own pattern is told from a name by its group: "Result: (.+)" is a regular expression, "boxed" a name. The answer is
the group `answer`, else the first one. ^ and $ are the ends of lines. Nothing limits the time that it takes.

    >>> ANSWER_IS.search("So the answer is 60 eggs. Done.")["value"]
    '60 eggs'
    >>> own_pattern(r"Result: (\w+)").search("Result: x")[1]
    'x'
"""

from __future__ import annotations

import re
from functools import lru_cache

from stepalign.core.errors import ConfigError

_START = r"(?:[-+−.$€£¥(\[]*[\d\\]|\$[^\s$])"
_END = r"(?=[.!?][*$]*(?:\s|$)|,[ \t](?!and\b|or\b)[A-Za-z]{2}|$)"
ANSWER_IS = re.compile(
    rf"\banswer(?:[ \t*]*:|[ \t]+is\b)[ \t*:=]*(?P<value>{_START}.*?){_END}", re.IGNORECASE | re.MULTILINE
)


def is_own(pattern: str) -> bool:
    """Whether an answer pattern is a regular expression and no name."""
    return "(" in pattern


@lru_cache(maxsize=64)
def own_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of the user's own, compiled.

    Raises:
        ConfigError: it is no regular expression, or has no group.
    """
    try:
        compiled = re.compile(pattern, re.MULTILINE)
    except re.error as error:
        raise ConfigError(
            f"answer pattern '{pattern}' is no regular expression: {error}. Expected one with a group around the "
            "answer, such as 'Result: (.+)'."
        ) from None
    if not compiled.groups:
        raise ConfigError(f"answer pattern '{pattern}' has no group; expected one around the answer: 'Result: (.+)'.")
    return compiled
