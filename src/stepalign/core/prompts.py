"""Student and self-teacher prompts: Jinja templates over a problem and, for the teacher, a context.

The student sees the problem; the self-teacher sees the problem and the context. Two families ship: `steps` asks for
the step tags and suits any instruct model; `bare` adds next to nothing and suits a model that already writes the tags,
such as the micro solver. A path to a directory with `student.jinja` and `teacher.jinja` is a family of your own.

    >>> problem, context = Problem("p1", "What is 2 + 2?", "4"), Context("It is 4.")
    >>> print(render_prompt("bare", "teacher", problem=problem, context=context))
    What is 2 + 2?
    <BLANKLINE>
    It is 4.
    <BLANKLINE>
    Solve it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound

from stepalign.core.critique import Context
from stepalign.core.errors import ConfigError, suggest
from stepalign.core.problem import Problem

TEMPLATES = Path(__file__).parent / "templates"
DEFAULT_TEMPLATES = "steps"


@lru_cache(maxsize=8)
def _environment(family: str) -> Environment:
    directory = TEMPLATES / family
    if not directory.is_dir():
        directory = Path(family)
    if not directory.is_dir():
        known = sorted(path.name for path in TEMPLATES.iterdir())
        raise ConfigError(
            f"unknown prompt templates '{family}'{suggest(family, known)} "
            "Or give a directory with student.jinja and teacher.jinja."
        )
    # autoescape off: prompts are plain text, not HTML
    return Environment(
        loader=FileSystemLoader(directory), undefined=StrictUndefined, trim_blocks=True, autoescape=False
    )


def check_templates(family: str) -> None:
    """Raises ConfigError where there is no such family, with the nearest name."""
    _environment(family)


def render_prompt(
    family: str, role: Literal["student", "teacher"], *, problem: Problem, context: Context | None = None
) -> str:
    """The user message that the student or the self-teacher gets.

    Raises:
        ConfigError: no such template family, or its directory lacks the role's template.
    """
    try:
        template = _environment(family).get_template(f"{role}.jinja")
    except TemplateNotFound:
        raise ConfigError(f"prompt templates '{family}' have no {role}.jinja. Add the file.") from None
    return template.render(problem=problem.problem, context=context.text if context else "").strip()
