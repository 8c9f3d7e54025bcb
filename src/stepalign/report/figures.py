"""The two figures of an inspection, for a paper: the response's tokens coloured by A_t, and A_t over token position.

    >>> [path.name for path in advantage_figures(result, directory / "one-wrong-step.svg")]
    ['one-wrong-step.svg', 'one-wrong-step-tokens.svg']

`result` is what `advantage.json` holds. The suffix chooses the format: .png, .svg or .pdf. The same result gives the
same bytes with the same versions of matplotlib and its fonts.

Colours are those of the pages (PuOr: orange reinforces, purple suppresses); sign shows by underline as well, solid or
dotted. Both figures have one symmetric scale for all contexts.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepalign.core.errors import ConfigError, DataError
from stepalign.core.files import read_json, write_json
from stepalign.report.alternatives import instead
from stepalign.report.page.text import clean, visible
from stepalign.report.palette import COLOURS, Colours, Palette
from stepalign.report.token_text import INK, RULE, SOFT, WIDTH, first_wrong_token, token_text, values_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Without dates and versions, so that the same numbers give the same file.
METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
STYLE: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "text.hinting": "none",  # letters keep their true width, so that they stay on the grid
    "svg.hashsalt": "stepalign",
    "pdf.fonttype": 42,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "savefig.dpi": 200,
}
SCALE = 5.0  # nats; what lies beyond is drawn up to the edge, with a triangle
ROW = 1.2  # inches
PLACES = 1200  # of a row; where tokens are more, a place shows the highest and the lowest of its tokens
STEPS = 40  # more are not marked by lines


def advantage_figures(result: Mapping[str, Any], path: Path, palette: Palette = "safe") -> list[Path]:
    """Draw both figures of one inspection and write the numbers in them beside each.

    Returns:
        The pictures written: `path`, and the one with `-tokens` in its name.
    Raises:
        ConfigError: the suffix is none of .png, .svg, .pdf, or the numbers would replace another file.
    """
    if path.suffix.lower() not in METADATA:
        raise ConfigError(f"figure '{path.name}': got suffix '{path.suffix}'; expected one of: {', '.join(METADATA)}.")
    texts = path.with_name(f"{path.stem}-tokens{path.suffix}")
    for picture in (path, texts):
        _check_free(picture.with_suffix(".json"))
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        _save(_areas(result, SCALE, COLOURS[palette]), path, _plotted(result, "areas"))
        figure, num_left_out = token_text(result, SCALE, COLOURS[palette])
        told = {name: instead(context, result["tokens"]) for name, context in result["contexts"].items()}
        more = clean({"num_tokens_left_out": num_left_out, "instead": told})
        _save(figure, texts, _plotted(result, "tokens") | more)
    return [path, texts]


def _check_free(numbers: Path) -> None:
    """Numbers of an earlier picture are replaced, any other file is not."""
    if not numbers.exists():
        return
    try:
        ours = "plotted" in read_json(numbers)
    except (DataError, TypeError):
        ours = False
    if not ours:
        raise ConfigError(f"figure: its numbers would replace {numbers}, which is no figure's. Choose another name.")


def _plotted(result: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The numbers in a picture."""
    kept = {key: result[key] for key in ("tokens", "token_steps", "first_wrong_step")}
    advantage = {name: context["advantage"] for name, context in result["contexts"].items()}
    return clean({"plotted": kind, "unit": "nats", "scale": SCALE, **kept, "advantage": advantage})


def _save(figure: Figure, path: Path, numbers: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(record=True) as caught:
        figure.savefig(path, metadata=METADATA[path.suffix.lower()])
    lacking = {str(warning.message) for warning in caught if str(warning.message).startswith("Glyph ")}
    if lacking:  # one warning, not one a character and pass
        warnings.warn(
            f"{path.name}: {len(lacking)} characters of the response are in none of the installed fonts and are drawn "
            "as boxes. Install a font that has them, such as Noto Sans Mono CJK.",
            stacklevel=3,
        )
    write_json(path.with_suffix(".json"), numbers)


def _areas(result: Mapping[str, Any], scale: float, colours: Colours = COLOURS["safe"]) -> Figure:
    """A_t over token position, one row a context."""
    from matplotlib.figure import Figure

    contexts = result["contexts"]
    figure = Figure(figsize=(WIDTH, ROW * len(contexts) + 0.6), layout="constrained")
    rows = figure.subplots(len(contexts), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for row, (name, context) in zip(rows, contexts.items(), strict=True):
        _draw_areas(row, values_of(context), scale, colours)
        title = row.set_title(visible(name), loc="left", fontsize=8, fontweight="bold", pad=13 if row is rows[0] else 4)
        title.set_parse_math(False)  # a name may have dollar signs
        _mark_steps(row, result)
    _name_steps(rows[0], result)
    beyond = any(abs(value) > scale for context in contexts.values() for value in values_of(context))
    rows[-1].set_xlabel("token position" + (f"; triangles: beyond {scale:g} nats" if beyond else ""))
    figure.supylabel("$A_t$, nats", fontsize=8)
    return figure


def _draw_areas(row: Axes, values: Sequence[float], scale: float, colours: Colours) -> None:
    edges = [len(values) * i // min(len(values), PLACES) for i in range(min(len(values), PLACES) + 1)]
    for extreme, colour in ((max, colours.up), (min, colours.down)):
        heights = [extreme(0.0, *values[start:end]) for start, end in pairwise(edges)]
        shown = [max(-scale, min(scale, height)) for height in heights]
        row.fill_between(edges, 0, shown + shown[-1:], step="post", color=colour, linewidth=0)
    for end, marker, side in ((1.04, "^", 1), (-0.04, "v", -1)):
        beyond = [i + 0.5 for i, value in enumerate(values) if side * value > scale]
        above = row.get_xaxis_transform()
        marks = row.plot(beyond, [end] * len(beyond), marker, color=INK, ms=2.5, mew=0, transform=above, clip_on=False)
        marks[0].set_in_layout(False)
    row.axhline(0, color=SOFT, linewidth=0.6)
    row.set_xlim(0, max(1, len(values)))
    row.set_ylim(-scale, scale)
    row.set_yticks([-scale, 0, scale])
    row.tick_params(labelsize=7, width=0.6, length=2.5)


def _steps(result: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """(position, step) where each step begins."""
    before = None
    for i, step in enumerate(result["token_steps"]):
        if step is not None and step != before:
            before = step
            yield i, step


def _mark_steps(row: Axes, result: Mapping[str, Any]) -> None:
    """A dashed line at the first wrong step, faint ones at the others."""
    starts = [at for at, _ in _steps(result)]
    for at in starts if len(starts) <= STEPS else ():
        if at != first_wrong_token(result):
            row.axvline(at, color=RULE, linewidth=0.6, zorder=0)
    if (first_wrong := first_wrong_token(result)) is not None:
        row.axvline(first_wrong, color=INK, linewidth=1, dashes=(4, 3))


def _name_steps(row: Axes, result: Mapping[str, Any]) -> None:
    """Step numbers above the first row, as many as have room."""
    end = len(result["tokens"])
    a_character = end / (WIDTH * 16)  # in tokens
    free = 0.0
    for at, step in _steps(result):
        text = f"step {step}, the first wrong one" if at == first_wrong_token(result) else f"step {step}"
        if free <= at <= end - a_character * len(text):
            place = (at / max(1, end), 1)
            label = row.annotate(text, place, (1, 5), xycoords="axes fraction", textcoords="offset points", fontsize=7)
            label.set(color=SOFT, in_layout=False)
            free = at + a_character * (len(text) + 1)
