"""What a report is made of: sections, and in them words, tables, texts, and places that the scripts fill.

    >>> table = Table("Grades", [Column("grade"), Column("share", num=True)], [["correct", Cell("25 %", share=0.25)]])
    >>> html = render("an evaluation", [Section("grades", "Grades", [table])], {"conditions": []})
    >>> '<h2 id="grades-title">Grades</h2>' in html
    True

Every report is this page with other sections; the template and the scripts beside this file know nothing of what made
them. Texts and data are made `clean` here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from stepalign.report.page.document import SHARED, build_page
from stepalign.report.page.text import clean


@dataclass(frozen=True)
class Column:
    """A column's name; `num`: aligned to the right; `wrap`: its lines break; `code`: set as code."""

    name: str
    num: bool = False
    wrap: bool = False
    code: bool = False


@dataclass(frozen=True)
class Cell:
    """Text, with what may stand with it.

    Attributes:
        beside: small words after the text; a link where `href` is an address on the page.
        below: a small line under it.
        condition: whose mark stands before it.
        share: 0 to 1, drawn as a bar.
    """

    text: str
    beside: str = ""
    href: str = ""
    below: str = ""
    condition: str = ""
    share: float | None = None


@dataclass(frozen=True)
class Words:
    """Paragraphs; `note`: marked as something to heed."""

    lines: Sequence[str]
    note: bool = False
    kind: str = field(default="words", init=False)


@dataclass(frozen=True)
class Table:
    """Rows of cells; a row's first cell names it. `strong` are the numbers of the rows that stand out."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell | str]]
    aside: str = ""
    id: str = ""
    strong: Collection[int] = ()
    kind: str = field(default="table", init=False)

    def __post_init__(self) -> None:
        cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in self.rows]
        object.__setattr__(self, "rows", cells)


@dataclass(frozen=True)
class Texts:
    """Long texts side by side, each with its label."""

    texts: Sequence[tuple[str, str]]
    kind: str = field(default="texts", init=False)


@dataclass(frozen=True)
class Fold:
    """Parts that are shown when the reader opens them."""

    summary: str
    parts: Sequence[Part]
    kind: str = field(default="fold", init=False)


@dataclass(frozen=True)
class Bar:
    """A number as a bar from zero; `ci95`: its interval, where there is one."""

    label: str
    value: float | None
    ci95: Sequence[float] | None = None


@dataclass(frozen=True)
class Chart:
    """Bars in named groups over one axis.

    Attributes:
        signal: the numbers are A_t, and bars have the colours of reinforced and suppressed tokens.
    """

    title: str
    unit: str
    groups: Sequence[tuple[str, Sequence[Bar]]]
    signal: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is no number to show."""
        return all(bar.value is None for _, bars in self.groups for bar in bars)


@dataclass(frozen=True)
class Bars:
    """Bar charts beside each other; `aside`: a line on all of them."""

    charts: Sequence[Chart]
    aside: str = ""
    kind: str = field(default="bars", init=False)


@dataclass(frozen=True)
class Summary:
    """The first section: what matters in a sentence and a picture, then words in two columns of (title, paragraphs).

    Attributes:
        lead: the sentences in large type; where there are none, the last of `left` are.
        picture: what they say, drawn.
    """

    left: Sequence[tuple[str, Sequence[str]]]
    right: Sequence[tuple[str, Sequence[str]]]
    lead: Sequence[str] = ()
    picture: Bars | None = None
    kind: str = field(default="summary", init=False)


@dataclass(frozen=True)
class Charts:
    """Where the curves go; their series are `curves` in the page's data."""

    evaluated: bool
    kind: str = field(default="charts", init=False)


@dataclass(frozen=True)
class Signal:
    """Where token maps go, with words on which rollouts these are; they are `signal` in the page's data."""

    said: str
    kind: str = field(default="signal", init=False)


@dataclass(frozen=True)
class Browser:
    """Where the browser over rollouts goes, with its words; `empty`: there is none to browse."""

    said: str
    empty: bool
    kind: str = field(default="browser", init=False)


Part = Words | Table | Texts | Fold | Bars | Summary | Charts | Signal | Browser
SCRIPTS = {"charts": ["curves.js"], "signal": ["signal.js"], "browser": ["crosstab.js", "rollouts.js"]}


@dataclass(frozen=True)
class Section:
    """A part of the page that its navigation names; `short` is its name there."""

    id: str
    title: str
    parts: Sequence[Part | None]
    short: str = ""


def render(
    title: str,
    sections: Sequence[Section],
    data: Mapping[str, Any],
    *,
    name: str = "",
    version: str = "",
    finished: bool = True,
    chunks: Sequence[str] = (),
    packed: Mapping[str, Any] | None = None,
) -> str:
    """The whole report as one HTML document.

    Args:
        title: what it is about, in a line.
        sections: those without a part are left out.
        data: what the scripts find as `data`; `conditions` must be in it.
        name: of the directory.
        finished: whether the command that wrote it had come to its end.
        chunks: packed texts of the rollouts.
        packed: more data that is clean already.
    """
    shown = [asdict(section) for section in sections]
    for section in shown:
        section["parts"] = [part for part in section["parts"] if part is not None]
    shown = [section for section in shown if section["parts"]]
    kinds = {part["kind"] for section in shown for part in section["parts"]}
    content = {"title": title, "name": name, "version": version, "finished": finished, "sections": shown}
    return build_page(
        SHARED,
        "report.html.jinja",
        scripts=[script for kind, scripts in SCRIPTS.items() if kind in kinds for script in scripts],
        content=clean(content) | {"chunks": chunks},
        data=clean(data) | dict(packed or {}),
    )
