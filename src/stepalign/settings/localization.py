"""A localization as it was asked for, checked and complete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stepalign.clients.alive import check_alive
from stepalign.core.errors import ConfigError
from stepalign.core.prompts import check_templates
from stepalign.data.label import Label
from stepalign.data.labels import load_labels
from stepalign.feedback.conditions import GRPO, check_condition, needs_critic
from stepalign.feedback.critics.build import check_critic, check_feedback
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.formats import feedback_class, load_plugins
from stepalign.models.loading import read_own_defaults, templates_for
from stepalign.settings.command_groups import LocalizeSettings
from stepalign.settings.given import Given
from stepalign.settings.grading import check_grading
from stepalign.settings.models import resolve_with_adapter
from stepalign.settings.resolve import resolve_critic
from stepalign.settings.run import record_of


@dataclass(frozen=True)
class ResolvedLocalization:
    """The prompts are settled in `settings`; `critic` is None where critiques come from a file or from labels."""

    settings: LocalizeSettings
    labels: Sequence[Label]
    critic: CriticSettings | None

    @property
    def directory(self) -> Path:
        """Where everything goes."""
        return Path(self.settings.output_dir)

    @property
    def record(self) -> dict[str, object]:
        """What decides the result."""
        return record_of(self.settings, self.critic or {}, {"critic": self.critic.critic if self.critic else None})


def resolve_localization(given: Given, source: object = None) -> ResolvedLocalization:
    """The labels are read, of the source or else of the settings' file; formats exist, their critic does what they
    need, and the model is there.

    Raises:
        ConfigError, DataError, ModelError, CriticError: the first check that fails.
    """
    settings = given.make(LocalizeSettings)
    load_plugins(settings.plugins)
    names = list(dict.fromkeys(settings.conditions))
    if not names:
        raise ConfigError("conditions: got none; expected at least one, for example: --conditions refsol stepalign.")
    for name in names:
        check_condition(name)
        if name == GRPO:
            raise ConfigError("condition 'grpo' has no context to score under. Leave it out.")
    critic = resolve_critic(given)
    if critic is not None and settings.critiques is not None:
        raise ConfigError(f"got both --critiques {settings.critiques} and a critic. Leave one of them out.")
    if critic is not None:
        check_critic(critic)
        for name in names:
            check_feedback(name, critic)
    for name in names if settings.critiques is not None else ():
        feedback_class(name).check(True, can_rewrite=False)
    check_grading(settings)
    source = settings.labels if source is None else source
    labels = load_labels(source, settings.num_rollouts, settings.rollouts_format, settings.sample_columns)
    model, _ = resolve_with_adapter(settings.model, settings.adapter)
    family = templates_for(settings.prompt_templates, read_own_defaults(model))
    check_templates(family, ["student", "teacher"])
    if critic is not None and any(map(needs_critic, names)):
        check_alive(critic.client_settings())
    settings = replace(settings, conditions=names, prompt_templates=family)
    return ResolvedLocalization(settings, labels, critic)
