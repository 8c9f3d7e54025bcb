"""One HTML file that opens from disk: a Jinja template over `document.html.jinja`, the style, scripts and JSON data.

The page carries a content security policy with the hashes of its own style and script, so nothing else can run in it
and nothing can be fetched, whatever a model wrote.

    >>> template = directory / "hello.html.jinja"
    >>> length = template.write_text("{% extends 'document.html.jinja' %}{% block body %}{{ it }}{% endblock %}")
    >>> html = build_page(directory, template.name, scripts=(), content={"it": "<b>"}, data={})
    >>> "&lt;b&gt;" in html
    True
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stepalign.report.page.text import script_json

SHARED = Path(__file__).parent
SCRIPTS = (
    *("dom.js", "address.js", "save.js", "bars.js", "tokens.js", "alternatives.js", "maps.js"),
    *("join.js", "critique.js"),
)
READY = 'document.documentElement.dataset.ready = "true";\n'  # after all scripts


def build_page(
    directory: Path, template: str, *, scripts: Sequence[str], content: Mapping[str, Any], data: Mapping[str, Any]
) -> str:
    """The whole document.

    Args:
        directory: where the page's own template and scripts lie.
        template: extends `document.html.jinja`; autoescaped.
        scripts: run after the shared ones, in one scope with them.
        content: what the template shows; already `clean`.
        data: JSON that the scripts find as `data`; already `clean`.
    """
    environment = Environment(
        loader=FileSystemLoader([directory, SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (SHARED / "page.css").read_text("utf-8")
    sources = [*(SHARED / name for name in SCRIPTS), *(directory / name for name in scripts)]
    script = '"use strict";\n(() => {\n' + "\n".join(path.read_text("utf-8") for path in sources) + READY + "})();\n"
    return environment.get_template(template).render(
        **content,
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data=script_json(data),
    )


def _hash(text: str) -> str:
    """A content security policy source for an inline element with this text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
