"""The table of a comparison, in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stepalign.core.files import read_jsonl
from stepalign.report.numbers import MISSING
from stepalign.report.terminal import make_console, print_lines
from stepalign.runs.evaluations import EvaluationMetrics, accuracy_keys, main_key
from stepalign.runs.files import WARNINGS
from stepalign.runs.results import Results

OPTIMISTIC = "Best on test is optimistic: it chooses on the test problems."


def print_results(results: Results, console: Console | None = None) -> None:
    """Print each condition's accuracy under both rules of choosing a checkpoint, means over its seeds."""
    console, base = console or make_console(), results.base
    names = accuracy_keys([base])
    table = Table(title=Text("Test accuracy x 100 [95 % interval over problems]"), caption=OPTIMISTIC)
    table.add_column("condition", overflow="fold")
    table.add_column("metric", no_wrap=True)
    table.add_column("selected on\nvalidation", justify="right")
    table.add_column("best on\ntest", justify="right")
    table.add_column("cut off /\nno answer, %", justify="right")
    for i, name in enumerate(names):
        own = _interval(base[name], base.interval(name))
        table.add_row("" if i else "base model", name, own, "", "" if i else _unanswered([base]))
    for condition, result in results.conditions.items():
        chosen = [seed.selected.test for seed in result.seeds.values() if seed.selected is not None]
        for i, name in enumerate(names):
            mean = result.selected_mean[name]
            best = 100 * fmean(seed.best[name].value or 0 for seed in result.seeds.values())
            cells = "" if i else condition, name, _interval(mean.value, mean.ci95), f"{best:.1f}"
            table.add_row(*cells, "" if i else _unanswered(chosen))
    console.print(table)
    name = main_key(names) or ""
    for pair, metrics in results.paired.items():
        if name in metrics and (bounds := metrics[name].ci95):
            low, high = bounds
            difference = f"{100 * metrics[name].difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
            print_lines([f"{pair}: {name} {difference}"], console)


def print_warnings(seed_directories: Mapping[tuple[str, int], Path]) -> None:
    """One line where guards warned while something trained, none elsewhere."""
    counts = {key: len(read_jsonl(directory / WARNINGS)) for key, directory in seed_directories.items()}
    warned = ", ".join(f"{condition} seed {seed} ({count})" for (condition, seed), count in counts.items() if count)
    if warned:
        print(f"Warnings during training: {warned}. The report says what was seen and what to do.")


def _unanswered(chosen: Sequence[EvaluationMetrics]) -> str:
    """Both shares, the mean over seeds, of the checkpoints selected on validation."""
    rates = [(m.truncated_rate, m.unparseable_rate) for m in chosen]
    shown = [[rate for rate in side if rate is not None] for side in zip(*rates, strict=True)]
    return " / ".join(f"{100 * fmean(side):.1f}" if side else MISSING for side in shown)


def _interval(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None or interval is None:
        return ""
    return f"{100 * value:.1f} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
