"""The critic that the settings ask for.

>>> critic = build_critic(CriticSettings(critic="exact"), grader.grade)
>>> critic.critique([rollout])[0].status
'verified'
"""

from __future__ import annotations

from typing import cast

from stepalign.core.errors import ConfigError, suggest
from stepalign.core.own import load_own
from stepalign.feedback.critics.audit import kept_audit
from stepalign.feedback.critics.critic import Critic
from stepalign.feedback.critics.functions import FunctionCritic, load_function
from stepalign.feedback.critics.prompts import check_prompts
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.critics.verify import GradeFunction
from stepalign.feedback.formats import feedback_class

CRITICS = ("openai", "local", "micro", "exact", "results")
WITHOUT_MODEL = ("exact", "results")


def check_critic(settings: CriticSettings) -> None:
    """Raises ConfigError where there is no such critic, or its prompts do not work: before anybody is asked."""
    kept_audit(settings)
    if ":" in settings.critic:
        if not _is_critic(load_own(settings.critic, "critic")):
            load_function(settings.critic)
    elif settings.critic not in CRITICS:
        raise ConfigError(f"unknown critic '{settings.critic}'{suggest(settings.critic, CRITICS)}")
    elif settings.critic not in WITHOUT_MODEL:
        check_prompts(settings.critic_prompts or settings.critique_protocol)


def check_feedback(condition: str, settings: CriticSettings | None) -> None:
    """Raises ConfigError where the critic of these settings, None for none, cannot do what a format needs of it."""
    kind = "" if settings is None else settings.critic
    own = load_own(kind, "critic") if ":" in kind else None
    can_rewrite = kind in ("openai", "local", *WITHOUT_MODEL) or bool(getattr(own, "can_rewrite", False))
    says_why = own is not None or (settings is not None and settings.critic_judgement)
    feedback_class(condition).check(settings is not None, can_rewrite=can_rewrite, says_why=says_why)


def build_critic(settings: CriticSettings, grade: GradeFunction) -> Critic:
    """A critic, ready to be asked.

    Args:
        settings: what to ask, whom and how.
        grade: from a response and its problem to a grade, such as `Grader.grade`.
    Raises:
        ConfigError: no such critic, or a setting that it needs is missing.
        CriticError: the cache cannot be opened.
    """
    if settings.critic == "exact":
        from stepalign.micro import exact

        on_failure = settings.critic_on_failure
        return FunctionCritic(exact.critique, grade, name="exact", on_failure=on_failure, rewrite=exact.rewrite)
    if settings.critic == "results":
        from stepalign.feedback.critics.results import along_reference, along_reference_from

        on_failure = settings.critic_on_failure
        return FunctionCritic(
            along_reference, grade, name="results", on_failure=on_failure, rewrite=along_reference_from
        )
    if ":" in settings.critic:
        own = load_own(settings.critic, "critic")
        if _is_critic(own):
            return cast("Critic", own)
        function = load_function(settings.critic)
        return FunctionCritic(function, grade, name=settings.critic, on_failure=settings.critic_on_failure)
    check_critic(settings)
    from stepalign.feedback.critics.language_model import LanguageModelCritic

    return LanguageModelCritic(settings, grade)


def _is_critic(own: object) -> bool:
    return not isinstance(own, type) and hasattr(own, "critique") and hasattr(own, "ledger")
