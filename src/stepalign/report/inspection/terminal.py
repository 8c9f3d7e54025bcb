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

from stepalign.report.inspection.measures import number, plain, share
from stepalign.report.page.text import visible

SCALE = 5.0  # nats at which a token's colour is full
MARKED = 0.1  # of it, from which a token is coloured
LIGHT, UP, DOWN = (247, 247, 247), (241, 163, 64), (153, 142, 195)
WIDTH = 150  # columns of tables where there is no terminal
SHOWN = 44  # characters of a step in the plain table
FIRST_WRONG = "▶"
SUMMARY: dict[str, tuple[str, Callable[[float | None], str]]] = {
    "mean,\ncorrect steps": ("mean_correct", number),
    "mean, first\nwrong step": ("mean_wrong", number),
    "its lowest\ntoken": ("min_wrong", number),
    "AUROC of\nits tokens": ("auroc", plain),
    "suppression\nin it, of all": ("negative_mass_share", share),
    "of that up\nto its end": ("onset_share", share),
}


def print_inspection(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what `advantage.json` says: tokens or steps, then one line a context, then the notes."""
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, WIDTH)
    if console.is_terminal and not console.no_color:
        console.print(_legend())
        for name, context in result["contexts"].items():
            console.print(Text(f"\n{visible(name)}", style="bold"))
            console.print(coloured(result, context["advantage"]), soft_wrap=False)
    else:
        console.print(step_table(result))
    console.print()
    console.print(summary_table(result))
    for note in result["notes"]:
        console.print(Text(f"- {visible(note)}"))


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


def step_table(result: Mapping[str, Any]) -> Table:
    """A row a step: mean and least A_t under each context."""
    table = Table(title="A_t by step, nats: mean (least token)")
    table.add_column("step", justify="right")
    table.add_column("text", no_wrap=True)
    table.add_column("tokens", justify="right")
    for name in result["contexts"]:
        table.add_column(Text(visible(name)), justify="right")
    by_context = [{row["step"]: row for row in context["steps"]} for context in result["contexts"].values()]
    for step in sorted({step for step in result["token_steps"] if step is not None}):
        tokens = [t for t, at in zip(result["tokens"], result["token_steps"], strict=True) if at == step]
        mark = f"{FIRST_WRONG} " if step == result["first_wrong_step"] else ""
        text = " ".join(visible("".join(tokens)).split())
        cut = text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
        values = [f"{number(rows[step]['mean'])} ({number(rows[step]['min'])})" for rows in by_context]
        table.add_row(f"{mark}{step}", Text(cut), str(len(tokens)), *values)
    return table


def summary_table(result: Mapping[str, Any]) -> Table:
    """A row a context: what it does to correct steps, to the first wrong one, and how closely it follows the trace."""
    wrong, source = result["first_wrong_step"], result["first_wrong_step_source"]
    found = "not known" if source is None else f"{wrong or 'none'} ({source})"
    table = Table(title=f"A_t in nats; first wrong step: {found}")
    table.add_column("context")
    for name in SUMMARY:
        table.add_column(name, justify="right")
    table.add_column("correct text\nreproduced", justify="right")
    for name, context in result["contexts"].items():
        where = context["localization"]
        values = [write(where[key]) for key, write in SUMMARY.values()]
        table.add_row(Text(visible(name)), *values, share(context["alignment"]["overall"]))
    return table


def _legend() -> Text:
    text = Text("A_t in nats, coloured from ±0.5 to ±5: ")
    for value in (-5, -2, -0.5):
        text.append(f" {number(value)} ", style=token_style(value))
    text.append(" suppressed, underlined  ")
    for value in (0.5, 2, 5):
        text.append(f" {number(value)} ", style=token_style(value))
    return text.append(f" reinforced  {FIRST_WRONG} first wrong step")
