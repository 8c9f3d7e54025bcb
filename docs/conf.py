"""The site: `make docs`. Sphinx reads docs/ as it lies there; pages of commands and public names are made."""

import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent / "src"), str(DOCS.parent)]

project, author, copyright = "stepalign", "the stepalign authors", "the stepalign authors, Apache-2.0"
release = version_of("stepalign")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # the notebook is shown as it was executed; a test executes it again
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_custom_sections = ["Source"]
html_theme = "furo"
html_title = f"stepalign {release}"
html_static_path = []
pygments_style, pygments_dark_style = "friendly", "monokai"
# text that is no language of Pygments is shown plain; a file outside of docs is linked as a download
suppress_warnings = ["misc.highlighting_failure"]


def write_reference(app):
    """`reference/*.rst`: what `stepalign COMMAND --help_all` prints, and the docstrings of the public names."""
    from scripts.site import api_pages, command_pages

    home = Path(app.srcdir) / "reference"
    home.mkdir(exist_ok=True)
    pages = {**command_pages(), **api_pages()}
    for path in home.glob("*.rst"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = home / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def as_rest(app, what, name, obj, options, lines):
    """Docstrings are prose for a terminal: indented blocks are literal, single backquotes are code."""
    text = "\n".join(lines)
    if what == "module":  # an indented block behind a blank line, which is no example
        text = re.sub(r"(?<!\n)\n\n(?=    +[^\s>])", "\n\n::\n\n", text)
    text = re.sub(r"(?<![`:])`([^`\n]+)`(?!`)", r"``\1``", text)
    lines[:] = text.splitlines()


def setup(app):
    """Called by Sphinx."""
    app.connect("builder-inited", write_reference)
    app.connect("autodoc-process-docstring", as_rest)
