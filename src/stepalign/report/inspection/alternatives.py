"""In the terminal, for the lowest tokens of each context: what student and self-teacher would have written there.

>>> print_alternatives(result, Console(width=80, color_system=None))
Written at the lowest tokens, and what would be:
stepalign
−...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stepalign.report.alternatives import BREAKS, in_percent, spelled
from stepalign.report.inspection.measures import number
from stepalign.report.page.text import visible

LOW = -0.5  # nats; as `localization` counts tokens that are pushed down
NUM_TOKENS = 3  # of a context
NUM_TOLD = 3  # alternatives of each model
BEFORE = 24  # characters of the text before a token


def print_alternatives(result: Mapping[str, Any], console: Console) -> None:
    """The lowest tokens of each context, three lines each; nothing where none is below `LOW`, or none is known."""
    found = {name: list(_lowest(result, context)) for name, context in result["contexts"].items()}
    if not any(found.values()):
        return
    console.print(Text("Written at the lowest tokens, and what would be:", style="bold"))
    for name, lowest in found.items():
        table = Table.grid(padding=(0, 2))
        for justify in ("right", "left", "left"):
            table.add_column(justify=justify, overflow="fold")
        for i in lowest:
            table.add_row(Text(number(result["contexts"][name]["advantage"][i])), "written", Text(_written(result, i)))
            for who, top in (
                ("student", result["student_top"]),
                ("self-teacher", result["contexts"][name]["teacher_top"]),
            ):
                table.add_row("", who, Text(told(top[i])))
        if lowest:
            console.print(Text(visible(name)))
            console.print(table)
    console.print()


def told(top: Sequence[Sequence[Any]]) -> str:
    """The likeliest of a token's alternatives, in a line.

    >>> told([[" carry", 0.351], ["\\n", 0.002]])
    '␣carry 35 %   ↵ 0.2 %'
    """
    return "   ".join(f"{spelled(text)} {in_percent(probability)}" for text, probability in top[:NUM_TOLD])


def _lowest(result: Mapping[str, Any], context: Mapping[str, Any]) -> Iterator[int]:
    advantage, tops = context["advantage"], context.get("teacher_top", [])
    for i in sorted(range(len(tops)), key=advantage.__getitem__)[:NUM_TOKENS]:
        if advantage[i] <= LOW and tops[i]:
            yield i


def _written(result: Mapping[str, Any], i: int) -> str:
    """A token after the text before it."""
    before = "".join(result["tokens"][max(0, i - BEFORE) : i])
    return f"{visible(before).translate(BREAKS)[-BEFORE:]}[{spelled(result['tokens'][i])}]"
