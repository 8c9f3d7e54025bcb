"""An inspection in the terminal: the response coloured by A_t under each context, and the figures that sum it up.

    >>> print_inspection(result)
    A_t by step, nats: mean (least token)
    ...

Where colours cannot be had (no terminal, NO_COLOR) a plain table says the same step by step. Colours are those of the
page (PuOr: orange reinforces, purple suppresses); what is suppressed is underlined as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from stepalign.report.inspection.alternatives import print_alternatives
from stepalign.report.inspection.measures import number, plain, share
from stepalign.report.page.text import visible
from stepalign.report.terminal import GAP, blocks, make_console, print_columns, print_lines

SCALE = 5.0  # nats at which a token's colour is full
MARKED = 0.1  # of it, from which a token is coloured
LIGHT, UP, DOWN = (247, 247, 247), (241, 163, 64), (153, 142, 195)
STEP = 14  # columns of the terminal for a step's number and the number of its tokens, with what is between
LEAST, SHOWN = 10, 44  # characters of a step's text there: with less room it is left out
FIRST_WRONG = "▶"
SUMMARY: dict[str, tuple[str, Callable[[float | None], str]]] = {
    "mean A_t, correct steps": ("mean_correct", number),
    "mean A_t, first wrong step": ("mean_wrong", number),
    "its lowest token": ("min_wrong", number),
    "AUROC of its tokens": ("auroc", plain),
    "suppression in it, of all": ("negative_mass_share", share),
    "of that up to its end": ("onset_share", share),
}
REPRODUCED = "correct text reproduced"


def print_inspection(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what `advantage.json` says: tokens or steps, what would be written at the lowest, a summary, notes."""
    console = console or make_console()
    if console.is_terminal and not console.no_color:
        console.print(_legend())
        for name, context in result["contexts"].items():
            console.print(Text(f"\n{visible(name)}", style="bold"))
            console.print(coloured(result, context["advantage"]), soft_wrap=False)
    else:
        _print_steps(result, console)
    console.print()
    print_alternatives(result, console)
    _print_summary(result, console)
    print_lines([f"- {visible(note)}" for note in result["notes"]], console)


def coloured(result: Mapping[str, Any], advantage: list[float]) -> Text:
    """The response, each token on its colour, the first wrong step marked."""
    steps, wrong = result["token_steps"], result["first_wrong_step"]
    first_wrong = steps.index(wrong) if wrong in steps and wrong is not None else None
    text = Text()
    for i, (token, value) in enumerate(zip(result["tokens"], advantage, strict=True)):
        if i == first_wrong:
            text.append(FIRST_WRONG, style="bold")
        style = token_style(value)
        shown = visible(token)
        text.append(shown.replace("\n", "↵\n") if style is not None else shown, style=style)
    return text


def token_style(value: float) -> Style | None:
    """Background by A_t, underlined where it is negative; None near 0."""
    strength = min(1.0, abs(value) / SCALE)
    if strength < MARKED:
        return None
    full = UP if value > 0 else DOWN
    red, green, blue = (round(light + strength * (end - light)) for light, end in zip(LIGHT, full, strict=True))
    return Style(color="black", bgcolor=f"rgb({red},{green},{blue})", underline=value < 0)


def _print_steps(result: Mapping[str, Any], console: Console) -> None:
    """A row a step: mean and least A_t under each context."""
    steps = sorted({step for step in result["token_steps"] if step is not None})
    by_context = {
        visible(name): {row["step"]: row for row in context["steps"]} for name, context in result["contexts"].items()
    }
    columns = {
        name: [f"{number(rows[step]['mean'])} ({number(rows[step]['min'])})" for step in steps]
        for name, rows in by_context.items()
    }
    widths = {name: max(len(text) for text in (name, *cells)) for name, cells in columns.items()}
    for group in blocks(widths, STEP, console.width):
        room = console.width - STEP - 2 * GAP - 1 - sum(widths[name] + GAP for name in group)
        table = Table(title=Text("A_t by step, nats: mean (least token)"))
        table.add_column("step", justify="right", no_wrap=True)
        if room >= LEAST:
            table.add_column("text", no_wrap=True)
        table.add_column("tokens", justify="right", no_wrap=True)
        for name in group:
            table.add_column(Text(name), justify="right", overflow="fold")
        for i, step in enumerate(steps):
            tokens = [t for t, at in zip(result["tokens"], result["token_steps"], strict=True) if at == step]
            mark = f"{FIRST_WRONG} " if step == result["first_wrong_step"] else ""
            text = [Text(_beginning("".join(tokens), min(SHOWN, room)))] if room >= LEAST else []
            table.add_row(f"{mark}{step}", *text, str(len(tokens)), *(columns[name][i] for name in group))
        console.print(table)


def _beginning(text: str, most: int) -> str:
    line = " ".join(visible(text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _print_summary(result: Mapping[str, Any], console: Console) -> None:
    """A column a context: what it does to correct steps, to the first wrong one, how closely it follows the trace."""
    wrong, source = result["first_wrong_step"], result["first_wrong_step_source"]
    found = "not known" if source is None else f"{wrong or 'none'} ({source})"
    columns = {
        visible(name): [
            *(write(context["localization"][key]) for key, write in SUMMARY.values()),
            share(context["alignment"]["overall"]),
        ]
        for name, context in result["contexts"].items()
    }
    print_columns(f"A_t in nats; first wrong step: {found}", "measure", [*SUMMARY, REPRODUCED], columns, console)


def _legend() -> Text:
    text = Text("A_t in nats, coloured from ±0.5 to ±5: ")
    for value in (-5, -2, -0.5):
        text.append(f" {number(value)} ", style=token_style(value))
    text.append(" suppressed, underlined  ")
    for value in (0.5, 2, 5):
        text.append(f" {number(value)} ", style=token_style(value))
    return text.append(f" reinforced  {FIRST_WRONG} first wrong step")
