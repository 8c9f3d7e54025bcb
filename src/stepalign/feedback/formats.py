"""Feedback formats: rollouts in, contexts or none out. One small class each, registered by name.

    >>> @register_feedback("nudge")
    ... class Nudge(FeedbackFormat):
    ...     def contexts(self, rollouts):
    ...         return [Context(f"The answer is {rollout.problem.answer}.") for rollout in rollouts]
    >>> build_context(rollout, "nudge").text
    'The answer is 170.'

The name is then a condition: `stepalign train --condition nudge --plugins my_feedback.py`. Those that ship are in
`from_references`, `from_critiques` and `from_peers`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol, TypeVar

from stepalign.core.critique import Context, Critique
from stepalign.core.errors import ConfigError, last_line, suggest
from stepalign.core.own import load_module
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout

# a critic as formats ask it: a critique for each rollout, None where none could be had
AskCritic = Callable[[Sequence[Rollout]], Sequence[Critique | None]]


class Rewrites(Protocol):
    """What more a critic can do where its `can_rewrite` is true: write a step again that it is told."""

    can_rewrite: bool

    def rewrite(self, rollouts: Sequence[Rollout], steps: Sequence[int]) -> Sequence[Critique | None]:
        """Of each rollout a critique that keeps all before the step (from 1) as it is, writes that step again, and
        carries on to an answer, whatever is right or wrong; None where there is none."""
        ...


class FeedbackFormat:
    """Base of all formats; what one needs is declared, so that what is missing is told before anything is loaded.

    Args:
        critic: asked by formats that need one.
        problems: all that are trained on, for formats that look beyond the rollout's own.
        peers: graded rollouts of these problems from earlier, oldest first.
        seed: for formats that draw.
    """

    name: ClassVar[str] = ""
    needs_critic: ClassVar[bool] = False
    needs_rewrites: ClassVar[bool] = False  # a critic that can be told which step to write again
    needs_judgement: ClassVar[bool] = False  # a critic that says in prose why a step is wrong
    needs: ClassVar[str] = ""  # what else a rollout without a context lacks, for the message

    def __init__(
        self,
        critic: AskCritic | None = None,
        *,
        problems: Sequence[Problem] = (),
        peers: Sequence[Rollout] = (),
        seed: int = 0,
    ):
        self.check(critic is not None, can_rewrite=bool(getattr(critic, "can_rewrite", False)))
        self.critic, self.problems, self.peers, self.seed = critic, problems, peers, seed

    @classmethod
    def check(cls, has_critic: bool, *, can_rewrite: bool = True, says_why: bool = True) -> None:
        """Raises ConfigError where the critic is missing or cannot do what the format needs of it."""
        if cls.needs_critic and not has_critic:
            raise ConfigError(
                f"feedback '{cls.name}' needs a critic; got none. "
                "Set critic_base_url and critic_model, or critic: exact in the micro world."
            )
        if cls.needs_rewrites and not can_rewrite:
            raise ConfigError(
                f"feedback '{cls.name}' needs a critic that can be told which step to write again; this one cannot. "
                "Set critic: openai, local or exact."
            )
        if cls.needs_judgement and not says_why:
            raise ConfigError(
                f"feedback '{cls.name}' needs a critic that says in prose why a step is wrong; this one does not. Set "
                "critic_judgement: true with critic openai or local and critique_protocol edit; the micro world's "
                "critics know no prose."
            )

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


def build_context(
    rollout: Rollout,
    format: str = "refsol",
    critic: AskCritic | None = None,
    *,
    problems: Sequence[Problem] = (),
    peers: Sequence[Rollout] = (),
    seed: int = 0,
) -> Context | None:
    """The context of one rollout under a feedback format; None where the format has none for it.

    The other arguments are those of `FeedbackFormat`.
    """
    made = feedback_class(format)(critic, problems=problems, peers=peers, seed=seed)
    return made.contexts([rollout])[0]


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
