"""The table of a localization, in the terminal: a row a context, then what was counted and what it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from stepalign.report.localization.measures import MEASURES, notes
from stepalign.report.terminal import make_console, print_columns, print_lines


def print_localization(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what `localization.json` says of all rollouts together."""
    conditions: Mapping[str, Mapping[str, Any]] = result["conditions"]
    title = "A_t in nats [95 % over rollouts]"
    columns = {name: [write(of) for of in conditions.values()] for name, write in MEASURES.items()}
    console = console or make_console()
    print_columns(title, "context", list(conditions), columns, console)
    print_lines(notes(result), console)
