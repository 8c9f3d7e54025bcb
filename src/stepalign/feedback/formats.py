"""Feedback formats: rollouts in, contexts or none out. One small class each, registered by name.

    >>> @register_feedback("hint")
    ... class Hint(FeedbackFormat):
    ...     def contexts(self, rollouts):
    ...         return [Context(f"The answer is {rollout.problem.answer}.") for rollout in rollouts]
    >>> build_context(rollout, "hint").text
    'The answer is 170.'

The name is then a condition: `stepalign train --condition hint --plugins my_feedback.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from stepalign.core.critique import Context, Critique
from stepalign.core.errors import ConfigError, last_line, suggest
from stepalign.core.own import load_module
from stepalign.core.rollout import Rollout

# a critic as formats ask it: a critique for each rollout, None where none could be had
AskCritic = Callable[[Sequence[Rollout]], Sequence[Critique | None]]


class FeedbackFormat:
    """Base of all formats. `needs_critic` makes a missing critic an error before anything is loaded."""

    name: ClassVar[str] = ""
    needs_critic: ClassVar[bool] = False

    def __init__(self, critic: AskCritic | None = None):
        if self.needs_critic and critic is None:
            raise ConfigError(
                f"feedback '{self.name}' needs a critic; got none. "
                "Set critic_base_url and critic_model, or critic: exact in the micro world."
            )
        self.critic = critic

    def contexts(self, rollouts: Sequence[Rollout]) -> list[Context | None]:
        """The context of each rollout, in order; None where there is none (it is then masked out and counted)."""
        raise NotImplementedError


_FORMATS: dict[str, type[FeedbackFormat]] = {}
Format = TypeVar("Format", bound=type[FeedbackFormat])


def register_feedback(name: str) -> Callable[[Format], Format]:
    """Class decorator that makes a format known under `name`."""

    def register(cls: Format) -> Format:
        cls.name = name
        _FORMATS[name] = cls
        return cls

    return register


def feedback_names() -> list[str]:
    """All names under which a format is registered, in order."""
    return sorted(_FORMATS)


def feedback_class(name: str) -> type[FeedbackFormat]:
    """The format registered under `name`.

    Raises:
        ConfigError: there is none.
    """
    if name not in _FORMATS:
        raise ConfigError(f"unknown feedback format '{name}'{suggest(name, _FORMATS)}")
    return _FORMATS[name]


def build_context(rollout: Rollout, format: str = "refsol", critic: AskCritic | None = None) -> Context | None:
    """The context of one rollout under a feedback format; None where the format has none for it."""
    return feedback_class(format)(critic).contexts([rollout])[0]


def load_plugins(plugins: Sequence[str]) -> None:
    """Import modules, also of the current directory, or `.py` files that register formats of the user's own.

    Raises:
        ConfigError: a file or module does not exist or fails to import.
    """
    for plugin in plugins:
        try:
            load_module(plugin)
        except Exception as error:
            raise ConfigError(
                f"plugins: cannot import '{plugin}': {last_line(error)}. Give a module or a .py file."
            ) from error


@register_feedback("refsol")
class RefSol(FeedbackFormat):
    """The dataset's reference solution, whatever the rollout says (OPSD; the paper's RefSol)."""

    def contexts(self, rollouts: Sequence[Rollout]) -> list[Context | None]:
        """The reference solution of each problem, None where it has none."""
        return [Context(r.problem.solution) if r.problem.solution else None for r in rollouts]


@register_feedback("stepalign")
class StepAlign(FeedbackFormat):
    """A critique of this very rollout: right steps verbatim, the first wrong rewritten (the paper's StepAlignFB)."""

    needs_critic = True

    def contexts(self, rollouts: Sequence[Rollout]) -> list[Context | None]:
        """The text of each critique, None where there is none."""
        assert self.critic is not None
        return [Context(c.text, c) if c is not None else None for c in self.critic(rollouts)]
