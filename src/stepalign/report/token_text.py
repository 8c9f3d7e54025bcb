"""A response's text in a picture, once for each context, each token coloured by its advantage A_t.

    >>> figure, num_left_out = token_text(result, scale=5.0)
    >>> num_left_out
    0

Set in a monospaced type on a grid of characters: lines break between tokens, a line break in the text is shown as "↵".
Sign shows by colour and by underline, solid or dotted. Below a token stands what the self-teacher would most likely
have written there instead, where the two disagree most and there is room (`stepalign.report.alternatives`). Of a very
long response the beginning is shown, and a note says how many tokens were left out.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from stepalign.report.alternatives import Instead, in_percent, instead, spelled
from stepalign.report.page.text import visible
from stepalign.report.palette import COLOURS, Colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, RULE = "#1e1d1a", "#5d5a52", "#dedad0"  # as in page.css
WIDTH = 7.2  # inches: a page's text
MARGIN = 0.1  # inches
SIZE = 7.5  # points of the text
ADVANCE = 0.602  # width of a character over SIZE
LEADING = 1.8  # line height over SIZE
COLUMNS = int((WIDTH - 2 * MARGIN) * 72 / (SIZE * ADVANCE))
LINES = 150  # most lines of a response, and of all contexts together what a PNG of 200 dots an inch can hold
ALL_LINES = 1200
NEWLINE = "↵"
BELOW, BELOW_SIZE = 0.75, 5.5  # lines that a row of second lines takes, and points of its text
MARKED = 0.1  # of the scale, from which a token is underlined
SECOND_LINE = (
    "Below a token: what the self-teacher would most likely have written there instead, and how likely that is."
)
# Wide scripts, where one of these is installed; DejaVu comes with matplotlib.
FONTS = (
    "DejaVu Sans Mono",
    "DejaVu Sans",
    "Noto Sans Mono CJK SC",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Zen Hei",
)


class Piece(NamedTuple):
    """Part of a token on one line: where on the grid, and what stands there."""

    token: int
    line: int
    column: int
    width: int
    text: str


class Below(NamedTuple):
    """A second line under a token: where it begins on the grid, and what it says."""

    line: int
    column: int
    text: str


class _Scale(NamedTuple):
    """How a value is coloured: white at 0, the whole colour from `full` on, in nats."""

    full: float
    colours: Colours

    def blend(self, value: float) -> tuple[float, float, float]:
        """Red, green and blue."""
        from matplotlib.colors import to_rgb

        share = min(1.0, abs(value) / self.full)
        red, green, blue = to_rgb(self.colours.up if value > 0 else self.colours.down)
        return 1 - share * (1 - red), 1 - share * (1 - green), 1 - share * (1 - blue)


def values_of(context: Mapping[str, Any]) -> list[float]:
    """A_t of each token; 0 where it is not finite."""
    return [value if value is not None and math.isfinite(value) else 0.0 for value in context["advantage"]]


def first_wrong_token(result: Mapping[str, Any]) -> int | None:
    """The first token of the first wrong step; None where there is none."""
    step = result["first_wrong_step"]
    return result["token_steps"].index(step) if step is not None and step in result["token_steps"] else None


def token_text(result: Mapping[str, Any], scale: float, colours: Colours = COLOURS["safe"]) -> tuple[Figure, int]:
    """The figure, and how many tokens were left out of it.

    Args:
        scale: nats at which a colour is full.
        colours: of what is above 0 and below.
    """
    from matplotlib.figure import Figure

    pieces = list(lay_out(result["tokens"]))
    most = min(LINES, ALL_LINES // len(result["contexts"]))
    shown = [piece for piece in pieces if piece.line < most]
    num_left_out = len(result["tokens"]) - len({piece.token for piece in shown})
    num_lines = 1 + max((piece.line for piece in shown), default=0)
    contexts = result["contexts"]
    below = {name: second_lines(shown, instead(context, result["tokens"])) for name, context in contexts.items()}
    heights = {  # with its title and its note
        name: num_lines + BELOW * len({it.line for it in lines}) + 2.2 + (1 if num_left_out else 0)
        for name, lines in below.items()
    }
    line = SIZE * LEADING / 72
    height = 2 * MARGIN + line * (sum(heights.values()) + 2.5)
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((MARGIN / WIDTH, MARGIN / height, 1 - 2 * MARGIN / WIDTH, 1 - 2 * MARGIN / height))
    axes.set_axis_off()
    axes.set_xlim(0, (WIDTH - 2 * MARGIN) * 72 / (SIZE * ADVANCE))
    axes.set_ylim(sum(heights.values()) + 2.5, 0)
    fonts, top = _installed(FONTS), 0.0
    for name, context in contexts.items():
        _write(axes, 0, top + 0.5, name, ["DejaVu Sans"], weight="bold", size=8)
        places = [top + 1.2 + i + BELOW * len({it.line for it in below[name] if it.line < i}) for i in range(num_lines)]
        _draw(axes, shown, values_of(context), places, _Scale(scale, colours), fonts, first_wrong_token(result))
        for it in below[name]:
            _write(axes, it.column, places[it.line] + 1.3, it.text, fonts, weight="bold", size=BELOW_SIZE)
        top += heights[name]
        if num_left_out:
            note = f"{num_left_out:,} more tokens are not shown; their values are in the file beside this picture."
            _write(axes, 0, top - 1.5, note, ["DejaVu Sans"], color=SOFT, size=7)
    _legend(axes, top + 0.7, _Scale(scale, colours))
    if any(below.values()):
        _write(axes, 0, top + 1.9, SECOND_LINE, ["DejaVu Sans"], size=7, color=SOFT)
    return figure, num_left_out


def second_lines(pieces: Sequence[Piece], found: Sequence[Instead]) -> list[Below]:
    """The second lines of a context that find room, those of the strongest disagreements first."""
    place = {piece.token: piece for piece in reversed(pieces)}  # where a token begins
    taken: list[tuple[int, int, float]] = []
    lines: list[Below] = []
    for it in found:
        piece = place.get(it.token)
        if piece is None:
            continue
        text = f"{spelled(it.text).strip('␣') or spelled(it.text)} {in_percent(it.probability)}"
        end = piece.column + _width(text) * BELOW_SIZE / SIZE + 1
        free = all(line != piece.line or end <= start or piece.column >= stop for line, start, stop in taken)
        if free and end <= COLUMNS + 1:
            taken.append((piece.line, piece.column, end))
            lines.append(Below(piece.line, piece.column, text))
    return lines


def lay_out(tokens: Sequence[str]) -> Iterator[Piece]:
    """Tokens on a grid of `COLUMNS`: a word that does not fit its line begins the next, a longer one is cut."""
    line = column = 0
    for word in _words(tokens):
        if column and column + sum(_width(text) for _, text in word) > COLUMNS:
            line, column = line + 1, 0
        for token, rest in word:
            while rest:
                fitting = _fitting(rest, COLUMNS - column)
                if not fitting:
                    line, column = line + 1, 0
                    continue
                yield Piece(token, line, column, _width(rest[:fitting]), rest[:fitting])
                column += _width(rest[:fitting])
                rest = rest[fitting:]
        if word[-1][1].endswith(NEWLINE):
            line, column = line + 1, 0


def _words(tokens: Sequence[str]) -> Iterator[list[tuple[int, str]]]:
    """(token, its text) of the tokens, or parts of tokens, between which no line may break."""
    word: list[tuple[int, str]] = []
    for number, token in enumerate(tokens):
        for part in re.findall(r"\n|[^\n]+", visible(token).expandtabs(4)):
            if word and (part[0].isspace() or word[-1][1][-1].isspace() or word[-1][1].endswith(NEWLINE)):
                yield word
                word = []
            word.append((number, part.replace("\n", NEWLINE)))
    if word:
        yield word


def _fitting(text: str, room: int) -> int:
    """How many characters of the text fit."""
    for i, character in enumerate(text):
        room -= _width(character)
        if room < 0:
            return i
    return len(text)


def _width(text: str) -> int:
    """Columns that a text takes: two for a wide character, none for a combining one."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def _draw(
    axes: Axes,
    pieces: Sequence[Piece],
    values: Sequence[float],
    places: Sequence[float],
    scale: _Scale,
    fonts: Sequence[str],
    first_wrong: int | None,
) -> None:
    """One context's tokens; each line of them has its place."""
    from matplotlib.collections import LineCollection, PatchCollection
    from matplotlib.patches import Rectangle

    boxes = [Rectangle((p.column, places[p.line] + 0.08), p.width, 0.84) for p in pieces]
    colours = [scale.blend(values[p.token]) for p in pieces]
    axes.add_collection(PatchCollection(boxes, facecolors=colours, linewidths=0, zorder=1))
    for side, colour, dash in ((1, scale.colours.up_line, "solid"), (-1, scale.colours.down_line, (0, (1, 1)))):
        marked = [p for p in pieces if side * values[p.token] >= MARKED * scale.full]
        lines = [[(p.column + x, places[p.line] + 0.92) for x in (0, p.width)] for p in marked]
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=0.9, linestyles=[dash], zorder=2))
    for line, column, text in _joined(pieces):
        colour = SOFT if text == NEWLINE else INK
        _write(axes, column, places[line] + 0.52, text, fonts, size=SIZE, color=colour)
    at = next((p for p in pieces if p.token == first_wrong), None)
    if at is not None:
        axes.plot([at.column] * 2, [places[at.line] - 0.1, places[at.line] + 1.1], color=INK, lw=1, dashes=(3, 2))


def _joined(pieces: Sequence[Piece]) -> Iterator[tuple[int, int, str]]:
    """(line, column, text): plain neighbours are written in one go, which saves most of the time."""
    for (line, plain), group in groupby(pieces, key=lambda piece: (piece.line, piece.text.isascii())):
        members = list(group)
        if plain:
            yield line, members[0].column, "".join(member.text for member in members)
        else:
            yield from ((line, member.column, member.text) for member in members)


def _write(axes: Axes, x: float, y: float, text: str, fonts: Sequence[str], **style: Any) -> None:
    indent = len(text) - len(text.lstrip())  # white space at the ends is cut
    if text.strip():  # a response may have dollar signs, which are no mathematics here
        axes.text(
            x + indent, y, visible(text).strip(), family=list(fonts), va="center_baseline", parse_math=False, **style
        )


def _legend(axes: Axes, y: float, scale: _Scale) -> None:
    from matplotlib.patches import Rectangle

    left, width, steps = 34, 24, 48
    for i in range(steps):
        colour = scale.blend(scale.full * (2 * (i + 0.5) / steps - 1))
        axes.add_patch(Rectangle((left + i * width / steps, y - 0.35), width / steps, 0.7, color=colour, linewidth=0))
    _write(
        axes, left - 1, y, f"suppressed (dotted)  −{scale.full:g} nats", ["DejaVu Sans"], size=7, color=SOFT, ha="right"
    )
    _write(axes, left + width + 1, y, f"+{scale.full:g} nats  reinforced (solid)", ["DejaVu Sans"], size=7, color=SOFT)


def _installed(names: Sequence[str]) -> list[str]:
    from matplotlib.font_manager import get_font_names

    known = set(get_font_names())
    return [name for name in names if name in known]
