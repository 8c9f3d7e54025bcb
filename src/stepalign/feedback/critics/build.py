"""The critic that the settings ask for.

>>> critic = build_critic(CriticSettings(critic="exact"), grader.grade)
>>> critic.critique([rollout])[0].status
'verified'
"""

from __future__ import annotations

from stepalign.core.errors import ConfigError, suggest
from stepalign.feedback.critics.critic import Critic
from stepalign.feedback.critics.functions import FunctionCritic, load_function
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.critics.verify import GradeFunction

CRITICS = ("openai", "local", "micro", "exact")


def build_critic(settings: CriticSettings, grade: GradeFunction) -> Critic:
    """A critic, ready to be asked.

    Args:
        settings: what to ask, whom and how.
        grade: from a response and the right answer to a grade, such as `Grader.grade`.
    Raises:
        ConfigError: no such critic, or a setting that it needs is missing.
        CriticError: the cache cannot be opened.
    """
    if settings.critic == "exact":
        from stepalign.micro.critic import exact_critique

        return FunctionCritic(exact_critique, grade, name="exact", on_failure=settings.critic_on_failure)
    if ":" in settings.critic:
        function = load_function(settings.critic)
        return FunctionCritic(function, grade, name=settings.critic, on_failure=settings.critic_on_failure)
    if settings.critic not in CRITICS:
        raise ConfigError(f"unknown critic '{settings.critic}'{suggest(settings.critic, CRITICS)}")
    from stepalign.feedback.critics.language_model import LanguageModelCritic

    return LanguageModelCritic(settings, grade)
