"""The table of a preflight, in the terminal: a column a feedback format, then verdicts in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from stepalign.report.preflight.measures import MEASURES, Summary, notes, verdicts
from stepalign.report.terminal import make_console, print_columns, print_lines


def print_preflight(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what `preflight.json` says, without its rows."""
    formats: Mapping[str, Summary] = result["formats"]
    title = f"Preflight: {result['num_problems']} problems [95 % interval over problems]; critic: per rollout"
    columns = {name: [show(formats[name]) for show in MEASURES.values()] for name in result["ranking"]}
    console = console or make_console()
    print_columns(title, "measure", list(MEASURES), columns, console)
    print_lines([*verdicts(result), *notes(result)], console)
