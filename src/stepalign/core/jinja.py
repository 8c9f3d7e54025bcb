"""Templates of prompts from a directory, where what is wrong with one is a single message: the file, the line, and what
a template may use.

    >>> from pathlib import Path
    >>> _ = Path("student.jinja").write_text("Q: {{ question }}")
    >>> load_template(Path(), "student.jinja", variables=("problem", "context"))
    Traceback (most recent call last):
        ...
    stepalign.core.errors.ConfigError: student.jinja, line 1: 'question' is unknown; a template has: problem, ...
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    meta,
    nodes,
)

from stepalign.core.errors import ConfigError


def load_template(
    directory: Path, name: str, *, variables: Sequence[str], lstrip_blocks: bool = False
) -> Template | None:
    """A template of a directory, checked; None where the directory has no such file.

    Args:
        variables: what it is rendered with.
        lstrip_blocks: whether white space before a block at the start of a line goes.
    Raises:
        ConfigError: its syntax is wrong, or it uses what is not there.
    """
    environment = Environment(
        loader=FileSystemLoader(directory),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=lstrip_blocks,
        autoescape=False,  # prompts are plain text, not HTML
    )
    try:
        template = environment.get_template(name)
        _check_names(environment, directory / name, variables)
    except TemplateNotFound:
        return None
    except TemplateSyntaxError as error:
        where = f"{error.filename or directory / name}, line {error.lineno}"
        raise ConfigError(f"{where}: {error.message}; {_there_is(variables)}") from None
    return template


def render(template: Template, values: Mapping[str, object]) -> str:
    """The template's text for these values, stripped.

    Raises:
        ConfigError: it cannot be rendered.
    """
    try:
        return template.render(values).strip()
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.endswith(".jinja")]
        where = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else str(template.filename)
        raise ConfigError(f"{where}: {error}; {_there_is(values)}") from None


def _check_names(environment: Environment, path: Path, variables: Sequence[str]) -> None:
    tree = environment.parse(path.read_text(encoding="utf-8"), filename=str(path))
    asked = {test.node.name for test in tree.find_all(nodes.Test) if isinstance(test.node, nodes.Name)}  # is defined
    known = cast("dict[str, Any]", environment.globals)  # pyright: ignore[reportUnknownMemberType]
    unknown = meta.find_undeclared_variables(tree) - {*variables, *known, *asked}
    found = [node for node in tree.find_all(nodes.Name) if node.name in unknown]
    if found:
        first = min(found, key=lambda node: node.lineno)
        raise ConfigError(f"{path}, line {first.lineno}: '{first.name}' is unknown; {_there_is(variables)}")


def _there_is(variables: Sequence[str] | Mapping[str, object]) -> str:
    return f"a template has: {', '.join(variables)}. Correct the template."
