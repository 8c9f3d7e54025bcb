"""The table of a comparison, in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from stepalign.core.files import read_jsonl


def print_results(results: dict[str, Any]) -> None:
    """Print each condition's accuracy under both rules of choosing a checkpoint, means over its seeds."""
    base = results["base"]
    names = [name for name in base if "@" in name]
    table = Table(title="Test accuracy x 100 [95 % interval over problems]")
    table.add_column("condition")
    for name in names:
        table.add_column(f"{name}\nselected on validation", justify="right")
    for name in names:
        table.add_column(f"{name}\nbest on test (optimistic)", justify="right")
    table.add_row("base model", *(_interval(base[n], base["ci95"][n]) for n in names), *("" for _ in names))
    for condition, result in results["conditions"].items():
        seeds = list(result["seeds"].values())
        selected = [_interval(result["selected_mean"][n]["value"], result["selected_mean"][n]["ci95"]) for n in names]
        best = [f"{100 * sum(s['best'][n]['value'] for s in seeds) / len(seeds):.1f}" for n in names]
        table.add_row(condition, *selected, *best)
    console = Console(width=None if Console().is_terminal else 150)
    console.print(table)
    for pair, metrics in results.get("paired", {}).items():
        name = next(n for n in metrics if n.startswith("avg@"))
        low, high = metrics[name]["ci95"]
        console.print(f"{pair}: {name} {100 * metrics[name]['difference']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]")


def print_warnings(seed_directories: Mapping[tuple[str, int], Path]) -> None:
    """One line where guards warned while something trained, none elsewhere."""
    from stepalign.runs.files import WARNINGS

    counts = {key: len(read_jsonl(directory / WARNINGS)) for key, directory in seed_directories.items()}
    warned = ", ".join(f"{condition} seed {seed} ({count})" for (condition, seed), count in counts.items() if count)
    if warned:
        print(f"Warnings during training: {warned}. The report says what was seen and what to do.")


def _interval(value: float, interval: list[float]) -> str:
    return f"{100 * value:.1f} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
