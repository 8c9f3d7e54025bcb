"""Conditions: names for a method and its feedback. `grpo` has no feedback format; every other is a format's name."""

from __future__ import annotations

from stepalign.core.errors import ConfigError, suggest
from stepalign.feedback.formats import feedback_class, feedback_names

GRPO = "grpo"
CONTROLS = ("none", "other", "random_step")  # what a gain must exceed before it says anything of alignment


def check_condition(condition: str) -> None:
    """Raises ConfigError where no such condition exists, with the nearest name."""
    names = [GRPO, *feedback_names()]
    if condition not in names:
        raise ConfigError(f"unknown condition '{condition}'{suggest(condition, names)}")


def needs_critic(condition: str) -> bool:
    """Whether a condition's contexts come from a critic.

    Raises:
        ConfigError: there is no such condition.
    """
    return condition != GRPO and feedback_class(condition).needs_critic
