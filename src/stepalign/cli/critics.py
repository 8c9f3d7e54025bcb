"""The critic of a training run: its settings among the run's, its check before anything starts, its ledger on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, fields, make_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from stepalign.core.errors import ConfigError, suggest
from stepalign.core.files import read_json, write_json

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


class RecordedCritic:
    """A critic as formats want one, whose ledger is on disk after every call and goes on when a run does."""

    def __init__(self, critic: Any, path: Path):
        self.critic, self.path = critic, path
        self.earlier: dict[str, Any] = read_json(path) if path.exists() else {}

    def __call__(self, rollouts: Sequence[Any]) -> list[Any]:
        records = self.critic.critique(rollouts)
        write_json(self.path, add_ledgers(self.earlier, self.critic.ledger.to_json()))
        return [record.critique for record in records]


def make_critic(arguments: Any, grade: Any, directory: Path) -> RecordedCritic | None:
    """The critic that the settings name, None for none."""
    from stepalign.feedback.critics.build import build_critic

    settings = critic_settings(arguments)
    return None if settings is None else RecordedCritic(build_critic(settings, grade), directory / LEDGER)


def add_ledgers(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    """The sum of two ledgers, counts by reason included."""
    total = dict(a)
    for key, value in b.items():
        if isinstance(value, dict):
            total[key] = add_ledgers(a.get(key, {}), value)
        else:
            total[key] = round(a.get(key, 0) + value, 6)
    return total
