"""Student and self-teacher prompts: Jinja templates over a problem and, for the teacher, a context.

The student sees the problem; the self-teacher sees the problem and the context. Three families ship: `steps` asks for
the step tags and suits any instruct model; `plain` asks the same of a base model and brings the chat template that such
a model lacks; `bare` adds next to nothing and suits a model that already writes the tags, such as the micro solver. A
path to a directory with `student.jinja`, `teacher.jinja` and perhaps `chat.jinja`, a chat template that takes the place
of the tokenizer's, is a family of your own.

    >>> problem, context = Problem("p1", "What is 2 + 2?", "4"), Context("It is 4.")
    >>> print(render_prompt("bare", "teacher", problem=problem, context=context))
    What is 2 + 2?
    <BLANKLINE>
    It is 4.
    <BLANKLINE>
    Solve it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from jinja2 import Template

from stepalign.core.critique import Context
from stepalign.core.errors import ConfigError, suggest
from stepalign.core.jinja import load_template, render
from stepalign.core.problem import Problem

TEMPLATES = Path(__file__).parent / "templates"
DEFAULT_TEMPLATES, PLAIN_TEMPLATES = "steps", "plain"
VARIABLES = ("problem", "context")
CHAT = "chat.jinja"

Role = Literal["student", "teacher"]


def check_templates(family: str, roles: Sequence[Role] = ("student",)) -> None:
    """Raises ConfigError where there is no such family, with the nearest name, or a role's template does not work."""
    probe = Problem("", "What is 2 + 2?", "4")
    for role in roles:
        render_prompt(family, role, problem=probe, context=Context("It is 4."))


def render_prompt(family: str, role: Role, *, problem: Problem, context: Context | None = None) -> str:
    """The user message that the student or the self-teacher gets.

    Raises:
        ConfigError: no such template family, its directory lacks the role's template, or that does not work.
    """
    path = _directory(family) / f"{role}.jinja"
    template = _template(path, path.stat().st_mtime_ns) if path.is_file() else None
    if template is None:
        raise ConfigError(f"prompt templates '{family}' have no {role}.jinja. Add the file.")
    return render(template, {"problem": problem.problem, "context": context.text if context else ""})


def chat_template(family: str) -> str | None:
    """The chat template that a family brings, None where the tokenizer's own is used.

    Raises:
        ConfigError: no such template family.
    """
    path = _directory(family) / CHAT
    return path.read_text(encoding="utf-8") if path.is_file() else None


@lru_cache(maxsize=16)
def _template(path: Path, changed: int) -> Template | None:
    """`changed`, the time of the last change, makes an edited template a new one."""
    return load_template(path.parent, path.name, variables=VARIABLES)


def _directory(family: str) -> Path:
    shipped = TEMPLATES / family
    directory = shipped if shipped.is_dir() else Path(family).expanduser()
    if not directory.is_dir():
        known = sorted(path.name for path in TEMPLATES.iterdir())
        raise ConfigError(
            f"unknown prompt templates '{family}'{suggest(family, known)} "
            "Or give a directory with student.jinja and teacher.jinja."
        )
    return directory
