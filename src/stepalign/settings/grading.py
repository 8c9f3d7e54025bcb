"""How responses are graded: the settings that every command has that grades, and the grader that they describe.

>>> with make_grader(GradingSettings(answer_patterns=["hash"])) as grader:
...     grader.grade("#### 12", "12").outcome.value
'correct'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from stepalign.core.errors import ConfigError
from stepalign.core.own import load_own
from stepalign.core.settings import Settings, setting
from stepalign.grading import ANSWER_PATTERNS, AnyGrader, Grader, OwnGrader
from stepalign.grading.answers import check_patterns


@dataclass(frozen=True, kw_only=True)
class GradingSettings(Settings):
    """Where an answer is looked for, and who judges it."""

    answer_patterns: list[str] | None = setting(
        list(ANSWER_PATTERNS),
        f"Where an answer may stand: {', '.join(ANSWER_PATTERNS)}; or a regular expression of your own, which is what "
        "has a group, as in 'Result: (.+)'. The last match counts, and answer_is only where nothing else matches.",
    )
    grader: str | None = setting(
        None,
        "Your own grader, as file.py:function or package.module:function: function(text, problem) gives correct, wrong "
        "or unparseable, True or False, or a score (correct from 1 on; GRPO's reward). It runs in this process. None: "
        "mathematical equality with the true answer.",
    )


def make_grader(
    settings: GradingSettings, *, timeout_s: float = 5.0, memory_limit_mb: int = 1024, num_workers: int = 1
) -> AnyGrader:
    """The grader of the settings; the limits are those of mathematical comparisons.

    Raises:
        ConfigError: a pattern is none, or the own grader cannot be loaded.
    """
    patterns = settings.answer_patterns
    if settings.grader is None:
        return Grader(timeout_s=timeout_s, memory_limit_mb=memory_limit_mb, num_workers=num_workers, patterns=patterns)
    if ":" not in settings.grader:
        raise ConfigError(
            f"grader '{settings.grader}' names no function; expected file.py:function or package.module:function."
        )
    own = load_own(settings.grader, "grader")
    if hasattr(own, "grade") and hasattr(own, "group"):
        return cast("AnyGrader", own)
    if not callable(own):
        raise ConfigError(f"grader '{settings.grader}' is no function. Expected function(text, problem).")
    return OwnGrader(own, settings.grader, patterns=patterns)


def check_grading(settings: GradingSettings) -> None:
    """Raises ConfigError where the settings describe no grader, before anything is loaded or asked."""
    check_patterns(settings.answer_patterns)
    make_grader(settings).close()
