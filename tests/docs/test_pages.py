"""The blocks of the README and of docs/ run as they are printed, a page's in order and in one directory.

A block that is not run has `<!-- not run: why -->` above it, which readers do not see. Trailing comments of Python
expressions are held to the value where they are one: `len(problems)  # 64`.
"""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .pages import PAGES, ROOT, Block, blocks

BLOCKS = {page: blocks(page) for page in PAGES}
RUN = {
    page: found
    for page, all_blocks in BLOCKS.items()
    if (found := [block for block in all_blocks if block.language in ("python", "sh") and not block.reason])
}


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_blocks_of_a_page_run(page, reader):
    namespace: dict[str, Any] = {}
    for block in RUN[page]:
        if block.language == "sh":
            run_shell(block)
        else:
            run_python(block, namespace)


def run_shell(block: Block) -> None:
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", block.text], capture_output=True, text=True)
    assert done.returncode == 0, f"{block.place}: exit code {done.returncode}\n{done.stdout}{done.stderr}"


def run_python(block: Block, namespace: dict[str, Any]) -> None:
    if name := re.match(r"# (\w+\.py)\n", block.text):
        Path(name[1]).write_text(block.text, encoding="utf-8")
    lines = "\n" * block.line + block.text  # a traceback then has the page's lines
    for statement in ast.parse(lines).body:
        if not isinstance(statement, ast.Expr):
            exec(compile(ast.Module([statement], []), block.page, "exec"), namespace)
            continue
        value = eval(compile(ast.Expression(statement.value), block.page, "eval"), namespace)
        comment = lines.splitlines()[statement.end_lineno - 1][statement.end_col_offset :].strip(" #")
        if says := stated(comment):
            assert says in (repr(value), f"{type(value).__name__}.{getattr(value, 'name', '')}"), block.place


def stated(comment: str) -> str | None:
    """The value that a comment gives, perhaps with a colon and words behind it; None where it is words alone."""
    text = comment.split(": ")[0]
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return None
    return text


def test_every_block_says_what_it_is():
    known = re.compile(r"json|python|sh|text|yaml|\{(toctree|include)\}.*")  # the last two are the site's
    wrong = [b.place for found in BLOCKS.values() for b in found if not known.fullmatch(b.language)]
    assert not wrong


def test_only_blocks_that_would_run_are_marked_and_reasons_name_files_that_are_there():
    marked = [block for found in BLOCKS.values() for block in found if block.reason]
    assert [block.place for block in marked if block.language not in ("python", "sh")] == []
    assert sum(page.read_text(encoding="utf-8").count("<!-- not run") for page in PAGES) == len(marked)
    named = [(block.place, name) for block in marked for name in re.findall(r"\S+/\S+\.py", block.reason)]
    assert [(place, name) for place, name in named if not (ROOT / name).is_file()] == []
