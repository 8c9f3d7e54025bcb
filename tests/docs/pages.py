"""What the pages hold: their blocks in order, and the names, links and flags in their prose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_RUN = re.compile(r"<!-- not run: (?P<reason>\S.*?) -->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block; `reason` says why it is not run, where a comment right above it does."""

    page: Path
    line: int
    language: str
    text: str
    reason: str | None = None

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block, continued lines joined, without comments."""
        lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in self.text.replace("\\\n", " ").splitlines())
        return [line for line in lines if line]


def tokens(page: Path) -> list[Token]:
    return MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))


def blocks(page: Path) -> list[Block]:
    found, reason = [], None
    for token in tokens(page):
        if token.type == "fence":
            line = token.map[0] + 1 if token.map else 0
            found.append(Block(page, line, token.info.strip(), token.content, reason))
        comment = NOT_RUN.fullmatch(token.content.strip()) if token.type == "html_block" else None
        reason = comment["reason"] if comment else None
    return found


def inline(page: Path) -> Iterator[Token]:
    """Code spans, links and images of the prose, tables included."""
    for token in tokens(page):
        for child in token.children or ():
            if child.type in ("code_inline", "link_open", "image"):
                yield child


def anchors(page: Path) -> set[str]:
    """The fragments that lead to the page's headings, as GitHub makes them."""
    found = tokens(page)
    titles = [found[i + 1].content for i, token in enumerate(found) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
