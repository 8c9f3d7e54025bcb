"""The table of a comparison, in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from stepalign.core.files import read_jsonl
from stepalign.report.numbers import MISSING
from stepalign.runs.evaluations import EvaluationMetrics, accuracy_keys, main_key
from stepalign.runs.files import WARNINGS
from stepalign.runs.results import Results


def print_results(results: Results) -> None:
    """Print each condition's accuracy under both rules of choosing a checkpoint, means over its seeds."""
    base = results.base
    names = accuracy_keys([base])
    table = Table(title="Test accuracy x 100 [95 % interval over problems]")
    table.add_column("condition")
    for name in names:
        table.add_column(f"{name}\nselected on validation", justify="right")
    for name in names:
        table.add_column(f"{name}\nbest on test (optimistic)", justify="right")
    table.add_column("cut off / no answer\n% of responses", justify="right")
    own = [_interval(base[n], base.interval(n)) for n in names]
    table.add_row("base model", *own, *("" for _ in names), _unanswered([base]))
    for condition, result in results.conditions.items():
        means = result.selected_mean
        selected = [_interval(means[n].value, means[n].ci95) for n in names]
        best = [f"{100 * fmean(seed.best[n].value or 0 for seed in result.seeds.values()):.1f}" for n in names]
        chosen = [seed.selected.test for seed in result.seeds.values() if seed.selected is not None]
        table.add_row(condition, *selected, *best, _unanswered(chosen))
    console = Console(width=None if Console().is_terminal else 150)
    console.print(table)
    name = main_key(names) or ""
    for pair, metrics in results.paired.items():
        if name in metrics and (bounds := metrics[name].ci95):
            low, high = bounds
            difference = f"{100 * metrics[name].difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
            console.print(f"{pair}: {name} {difference}")


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
