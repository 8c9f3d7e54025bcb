"""How an author writes a line: names, the form of an update and of a comparison, a `for` or a `while`.

    total += i * 2          total = total + 2 * i           the solver's
    acc = 2 * idx + acc     while idx <= n:                 the other author's, who writes reference solutions

Names are chosen once a program, forms at each line. A `Line` is what a line says, whoever worded it; `parse_line` reads
it back, which is what makes the critic exact.

    >>> parse_line("        total = total + 2 * i")
    Line(indent=8, kind='update', names=('total', 'i'), detail=('+', 2))
    >>> parse_line("        if i >= 4") is None         # its colon is missing
    True
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from stepalign.micro.code.spec import COMPARISONS, Spec, Update

INDENT = 4
NAMES = {"solver": ("total", "result", "value", "out"), "other": ("acc", "cell", "tmp")}
LOOPS = {"solver": ("i", "j", "k"), "other": ("idx", "num", "step")}
MIRRORED = {">=": "<=", ">": "<", "<=": ">=", "<": ">"}


class Line(NamedTuple):
    """One line: its indent, what kind it is, the variables in it, and what else it says."""

    indent: int
    kind: str
    names: tuple[str, ...] = ()
    detail: tuple[str | int, ...] = ()


@dataclass
class Style:
    """How one program is worded: its names and its loop, and for each line a form, `fixed` ones first.

    `foreign` is the probability of the other author's choice at each place.
    """

    rng: random.Random
    foreign: float = 0.0
    fixed: dict[str, str] = field(default_factory=dict[str, str])
    name: str = ""
    loop: str = ""
    uses_while: bool | None = None

    def __post_init__(self) -> None:
        self.name = self.name or self.rng.choice(NAMES[self._author()])
        self.loop = self.loop or self.rng.choice(LOOPS[self._author()])
        if self.uses_while is None:
            self.uses_while = self._author() == "other"

    def form(self, slot: str) -> str:
        """A form for the slot "update", "product" or "comparison"."""
        return self.fixed.get(slot) or self.rng.choice(FORMS[slot][self._author()])

    def _author(self) -> str:
        return "other" if self.rng.random() < self.foreign else "solver"


FORMS = {
    "update": {"solver": ("augmented", "full"), "other": ("reversed",)},
    "product": {"solver": ("variable first", "number first"), "other": ("number first",)},
    "comparison": {"solver": ("plain",), "other": ("mirrored",)},
}


def program_lines(spec: Spec, style: Style) -> list[Line]:
    """What each line of the right program says, with the style's names and loop."""
    name, loop = style.name, style.loop
    inner = 3 * INDENT if spec.guard else 2 * INDENT
    lines = [Line(0, "def"), Line(INDENT, "assign", (name,), (spec.start,))]
    if style.uses_while:
        lines += [Line(INDENT, "assign", (loop,), (spec.low,)), Line(INDENT, "while", (loop,), ("<=",))]
    else:
        lines.append(Line(INDENT, "for", (loop,), (spec.low, "n + 1")))
    if spec.guard is not None:
        comparison = COMPARISONS[spec.guard.words]
        lines.append(Line(2 * INDENT, "if", (loop,), (comparison, spec.guard.number)))
    lines.append(Line(inner, "update", (name, loop), tuple(spec.update)))
    if spec.otherwise is not None:
        lines += [Line(2 * INDENT, "else"), _plain(3 * INDENT, name, spec.otherwise)]
    if style.uses_while:
        lines.append(Line(2 * INDENT, "update", (loop,), ("+", 1)))
    return [*lines, *(_plain(INDENT, name, update) for update in spec.after), Line(INDENT, "return", (name,))]


def word_line(line: Line, style: Style) -> str:
    """A line as the style writes it."""
    return " " * line.indent + _WORDED[line.kind](line, style)


def parse_line(text: str) -> Line | None:
    """What a line says; None where it says nothing of this world, or is no Python."""
    body = text.lstrip(" ")
    for kind, pattern in _PATTERNS:
        match = pattern.fullmatch(body)
        if match is not None:
            return _read(kind, match, len(text) - len(body))
    return None


def forms_of(text: str) -> dict[str, str]:
    """The forms in which a line is written, by slot."""
    body, forms = text.strip(), dict[str, str]()
    if parse_line(text) is None:
        return forms
    if body.startswith("if "):
        forms["comparison"] = "mirrored" if re.match(r"if \d", body) else "plain"
    elif re.match(r"\w+ [-+]= ", body):
        forms["update"] = "augmented"
    elif re.match(r"(\w+) = \1 [-+] ", body):
        forms["update"] = "full"
    elif re.match(r"\w+ = .+ \+ ", body):
        forms["update"] = "reversed"
    if " * " in body:
        forms["product"] = "number first" if re.search(r"\d \* ", body) else "variable first"
    return forms


def _plain(indent: int, name: str, update: Update) -> Line:
    return Line(indent, "update", (name,), tuple(update))


def _update(line: Line, style: Style) -> str:
    name, (sign, number) = line.names[0], line.detail
    amount = str(number)
    if len(line.names) > 1:
        loop = line.names[1]
        amount = f"{number} * {loop}" if style.form("product") == "number first" else f"{loop} * {number}"
    form = style.form("update")
    if form == "augmented":
        return f"{name} {sign}= {amount}"
    return f"{name} = {amount} + {name}" if form == "reversed" and sign == "+" else f"{name} = {name} {sign} {amount}"


def _condition(line: Line, style: Style) -> str:
    (loop,), (comparison, number) = line.names, line.detail
    if style.form("comparison") == "mirrored":
        return f"if {number} {MIRRORED[str(comparison)]} {loop}:"
    return f"if {loop} {comparison} {number}:"


_WORDED: dict[str, Callable[[Line, Style], str]] = {
    "def": lambda line, style: "def f(n):",
    "assign": lambda line, style: f"{line.names[0]} = {line.detail[0]}",
    "for": lambda line, style: f"for {line.names[0]} in range({line.detail[0]}, {line.detail[1]}):",
    "while": lambda line, style: f"while {line.names[0]} {line.detail[0]} n:",
    "if": _condition,
    "else": lambda line, style: "else:",
    "update": _update,
    "return": lambda line, style: f"return {line.names[0]}",
}
_PRODUCT = r"(?:(?P<number>\d+)|(?P<loop>[a-z]+) \* (?P<factor>\d+)|(?P<factor2>\d+) \* (?P<loop2>[a-z]+))"
_PATTERNS: Sequence[tuple[str, re.Pattern[str]]] = [
    ("def", re.compile(r"def f\(n\):")),
    ("assign", re.compile(r"(?P<name>[a-z]+) = (?P<number>\d+)")),
    ("for", re.compile(r"for (?P<name>[a-z]+) in range\((?P<number>\d+), (?P<end>n(?: \+ 1)?)\):")),
    ("while", re.compile(r"while (?P<name>[a-z]+) (?P<comparison><=|<) n:")),
    ("if", re.compile(r"if (?P<name>[a-z]+) (?P<comparison>[<>]=?) (?P<number>\d+):")),
    ("if mirrored", re.compile(r"if (?P<number>\d+) (?P<comparison>[<>]=?) (?P<name>[a-z]+):")),
    ("else", re.compile(r"else:")),
    ("update", re.compile(rf"(?P<name>[a-z]+) (?P<sign>[-+])= {_PRODUCT}")),
    ("update", re.compile(rf"(?P<name>[a-z]+) = (?P=name) (?P<sign>[-+]) {_PRODUCT}")),
    ("update", re.compile(rf"(?P<name>[a-z]+) = {_PRODUCT} (?P<sign>\+) (?P=name)")),
    ("return", re.compile(r"return (?P<name>[a-z]+)")),
]


def _read(kind: str, match: re.Match[str], indent: int) -> Line:
    found = match.groupdict()
    names = (found["name"],) if "name" in found else ()
    if kind == "assign":
        return Line(indent, kind, names, (int(found["number"]),))
    if kind == "for":
        return Line(indent, kind, names, (int(found["number"]), found["end"]))
    if kind == "while":
        return Line(indent, kind, names, (found["comparison"],))
    if kind.startswith("if"):
        comparison = found["comparison"] if kind == "if" else MIRRORED[found["comparison"]]
        return Line(indent, "if", names, (comparison, int(found["number"])))
    if kind == "update":
        loop = found["loop"] or found["loop2"]
        number = int(found["number"] or found["factor"] or found["factor2"])
        return Line(indent, kind, (*names, loop) if loop else names, (found["sign"], number))
    return Line(indent, kind, names)
