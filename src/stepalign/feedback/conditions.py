"""Conditions: names for a method and its feedback. `grpo` has no feedback format; every other is a format's name."""

from __future__ import annotations

from stepalign.core.errors import ConfigError, suggest
from stepalign.feedback.formats import feedback_names

GRPO = "grpo"


def check_condition(condition: str) -> None:
    """Raises ConfigError where no such condition exists, with the nearest name."""
    names = [GRPO, *feedback_names()]
    if condition not in names:
        raise ConfigError(f"unknown condition '{condition}'{suggest(condition, names)}")
