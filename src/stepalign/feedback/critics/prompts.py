"""Prompts of the critique protocols: Jinja templates over the problem, the ground truth shown, and the attempt.

The attempt's steps are shown in canonical numbered tags whatever layout the solver used. Each protocol has a family of
its name. `bare` says nothing but the data and suits a model that was trained to be a critic, such as the micro critic.
A directory with `user.jinja` and perhaps `system.jinja` is a family of your own.

    >>> [message["role"] for message in render_messages("edit", rollout, truth="answer")]
    ['system', 'user']
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from jinja2 import Template

from stepalign.core.errors import ConfigError, suggest
from stepalign.core.jinja import load_template, render
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.core.trace import render_steps
from stepalign.feedback.critics.settings import Truth

CLOSE = re.compile(r"</attempt\s*>", re.IGNORECASE)  # an attempt must not be able to end itself and speak on
TEMPLATES = Path(__file__).parent / "templates"


VARIABLES = ("problem", "solution", "answer", "attempt", "num_steps", "is_cut_off", "judgement", "step", "is_program")


def check_prompts(name: str) -> None:
    """Raises ConfigError where a shipped family or a directory of one's own does not work."""
    probe = Rollout(Problem("", "What is 2 + 2?", "4", "2 + 2 = 4"), 0, "<step_1>2 + 2 = 5</step_1><answer>5</answer>")
    render_messages(name, probe, truth="solution")


@lru_cache(maxsize=8)
def _templates(name: str) -> dict[str, Template]:
    directory = TEMPLATES / name
    if not directory.is_dir():
        directory = Path(name).expanduser()
    found = {
        role: load_template(directory, f"{role}.jinja", variables=VARIABLES, lstrip_blocks=True)
        for role in ("system", "user")
    }
    if found["user"] is None:
        known = [path.name for path in TEMPLATES.iterdir()]
        raise ConfigError(
            f"critic_prompts: {directory} has no user.jinja{suggest(name, known)} Or give a directory that has one."
        )
    return {role: template for role, template in found.items() if template is not None}


def render_messages(
    protocol: str,
    rollout: Rollout,
    *,
    truth: Truth,
    directory: str = "",
    judgement: bool = False,
    step: int | None = None,
) -> list[dict[str, str]]:
    """The chat messages that ask for one critique.

    Args:
        directory: of the templates; may also be the name of a shipped family.
        judgement: whether it is to say what is wrong and why.
        step: which one (from 1) it is to write again; None: the first wrong one, which it finds.
    Raises:
        ConfigError: no such family, the directory lacks user.jinja, or a template does not work.
    """
    templates = _templates(directory or protocol)
    problem, trace = rollout.problem, rollout.trace
    values = {
        "problem": problem.problem,
        "solution": problem.solution if truth == "solution" else None,
        "answer": None if truth == "none" else problem.own_answer,
        "attempt": CLOSE.sub("< /attempt>", render_steps([step.text for step in trace.steps], trace.answer)),
        "num_steps": len(trace.steps),
        "is_cut_off": rollout.finish_reason == "length",
        "judgement": judgement,
        "step": step,
        "is_program": problem.tests is not None,
    }
    return [{"role": role, "content": render(template, values)} for role, template in templates.items()]
