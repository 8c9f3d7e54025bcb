"""The critic of a training run: its settings among the run's, its check before anything starts, its ledger on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, fields, make_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from stepalign.core.errors import ConfigError, suggest

if TYPE_CHECKING:
    from stepalign.feedback.critics.recorded import RecordedCritic

LEDGER = "ledger.json"


def critic_arguments() -> type:
    """The fields of `CriticSettings` for a recipe; `critic` may stay none, since not every condition asks one."""
    from stepalign.feedback.critics.settings import CriticSettings

    hints = get_type_hints(CriticSettings)
    columns: list[Any] = []
    for f in fields(CriticSettings):
        hint, default = (str | None, None) if f.name == "critic" else (hints[f.name], f.default)
        columns.append((f.name, hint, field(default=default, metadata=f.metadata)))
    return make_dataclass("CriticArguments", columns)


def critic_settings(arguments: Any) -> Any:
    """The validated settings of the critic, None where none is set; a base URL alone means the openai critic.

    Raises:
        ConfigError: a setting of the critic is missing or wrong.
    """
    from stepalign.feedback.critics.settings import CriticSettings

    values = dict(vars(arguments))
    values["critic"] = values["critic"] or ("openai" if values["critic_base_url"] else None)
    return CriticSettings(**values) if values["critic"] else None


def resolve_critic(arguments: Any) -> None:
    """Write into the arguments what the critic's model decides where they are open, so that the run's record holds it.

    Raises:
        ConfigError: a setting of the critic is missing or wrong.
    """
    settings = critic_settings(arguments)
    if settings is not None:
        vars(arguments).update({item.name: getattr(settings, item.name) for item in fields(settings)})


def check_study(study: Any, arguments: Any, conditions: Sequence[str]) -> None:
    """Fail before anything is loaded or written: unknown conditions, plugins that do not import, a missing critic.

    Raises:
        ConfigError: with the remedy.
    """
    from stepalign.feedback.critics.build import CRITICS
    from stepalign.feedback.formats import feedback_class, load_plugins
    from stepalign.training.run import GRPO, check_condition

    load_plugins(study.plugins)
    if not conditions:
        raise ConfigError("conditions: got none; expected at least one, for example: --conditions grpo stepalign.")
    settings = critic_settings(arguments)
    for condition in conditions:
        check_condition(condition)
        if condition != GRPO:
            feedback_class(condition)(None if settings is None else lambda rollouts: [])
    if settings is not None and ":" not in settings.critic and settings.critic not in CRITICS:
        raise ConfigError(f"unknown critic '{settings.critic}'{suggest(settings.critic, CRITICS)}")


def make_critic(
    arguments: Any, grade: Any, directory: Path, processes: tuple[int, int] = (0, 1)
) -> RecordedCritic | None:
    """The critic that the settings name, None for none; `processes`: which one of how many, which share its budgets."""
    from stepalign.feedback.critics.build import build_critic
    from stepalign.feedback.critics.recorded import RecordedCritic

    settings = critic_settings(arguments)
    if settings is None:
        return None
    if processes[1] > 1:
        budgets = {"critic_token_budget": settings.critic_token_budget // processes[1]}
        budgets["critic_cost_budget"] = settings.critic_cost_budget / processes[1]
        settings = replace(settings, **budgets)
    return RecordedCritic(build_critic(settings, grade), directory / LEDGER, *processes)
