"""Evaluations and curations as they were asked for, checked and complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stepalign.clients.alive import check_alive
from stepalign.clients.settings import ClientSettings
from stepalign.core.errors import ConfigError
from stepalign.core.problem import Problem
from stepalign.core.prompts import check_templates
from stepalign.data.problems import load_problems
from stepalign.models.loading import check_model, read_own_defaults, templates_for
from stepalign.settings.command_groups import EvaluateSettings
from stepalign.settings.curate import CurateSettings
from stepalign.settings.given import Given
from stepalign.settings.grading import check_grading
from stepalign.settings.models import resolve_model, resolve_with_adapter

LONGEST = 2048  # tokens of a sample where nobody says


def solver_client(settings: CurateSettings | EvaluateSettings, model: str | None, cache: str = "") -> ClientSettings:
    """How the solver behind a server is reached.

    Args:
        model: the name that the server expects.
        cache: file of its replies; empty for the critics' own.
    Raises:
        ConfigError: one of its settings is wrong.
    """
    return ClientSettings(
        "solver",
        base_url=settings.solver_base_url,
        model=model or "",
        api_key_env=settings.solver_api_key_env,
        max_tokens=settings.max_new_tokens or LONGEST,
        extra_body=settings.solver_extra_body,
        concurrency=settings.solver_concurrency,
        timeout_s=settings.solver_timeout_s,
        num_retries=settings.solver_num_retries,
        cache=cache,
    )


@dataclass(frozen=True)
class ResolvedEvaluation:
    """Which model is sampled on which problems: model, prompts and length are settled in `settings`."""

    settings: EvaluateSettings
    problems: Sequence[Problem]


def resolve_evaluation(given: Given, problems: Sequence[Problem] | None = None) -> ResolvedEvaluation:
    """One model's evaluation, on the problems given or on those of the settings' file.

    Raises:
        ConfigError, DataError, ModelError: the first check that fails.
    """
    settings = given.make(EvaluateSettings)
    check_grading(settings)
    problems = load_problems(settings.problems, settings.columns, likely="test") if problems is None else problems
    own: Mapping[str, object] = {}
    if settings.solver_base_url:
        if settings.adapter:
            raise ConfigError(
                "--adapter: the server has the model. Serve the adapter under a name of its own (vLLM: --lora-modules "
                "NAME=DIR) and give that name as --model."
            )
        check_alive(solver_client(settings, settings.model))
    else:
        model, adapter = resolve_with_adapter(settings.model, settings.adapter)
        settings = replace(settings, model=model, adapter=adapter)
        own = read_own_defaults(settings.model)
    family = templates_for(settings.prompt_templates, dict(own))
    check_templates(family)
    longest = own.get("max_new_tokens", LONGEST) if settings.max_new_tokens is None else settings.max_new_tokens
    return ResolvedEvaluation(replace(settings, prompt_templates=family, max_new_tokens=longest), problems)


def resolve_curation(given: Given) -> CurateSettings:
    """A curation's settings; a solver in this process is there.

    Raises:
        ConfigError, ModelError: the first check that fails.
    """
    settings = given.make(CurateSettings)
    check_grading(settings)
    if not settings.output_dir:
        raise ConfigError("curate needs output_dir: where problems and funnel go. Set it on the command line.")
    if settings.solver_model and not settings.solver_base_url:
        settings = replace(settings, solver_model=resolve_model(settings.solver_model))
        check_model(str(settings.solver_model))
    return settings
