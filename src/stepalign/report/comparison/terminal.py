"""The table of a comparison, in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from rich.console import Console

from stepalign.core.files import read_jsonl
from stepalign.report.comparison.controls import NO_CONTROL, against_controls, sorted_by_control
from stepalign.report.numbers import MISSING
from stepalign.report.terminal import make_console, print_columns, print_lines
from stepalign.runs.evaluations import EvaluationMetrics, accuracy_keys, main_key
from stepalign.runs.files import WARNINGS
from stepalign.runs.results import PairedDifference, Results

BASE = "base model"
OPTIMISTIC = "Best on test is optimistic: it chooses on the test problems."


def print_results(results: Results, console: Console | None = None) -> None:
    """Print each condition's accuracy under both rules of choosing a checkpoint, means over its seeds."""
    console, base = console or make_console(), results.base
    names = accuracy_keys([base])
    longest = max(len(name) for name in (BASE, *results.conditions))
    rows, selected, best, unanswered = list[str](), list[str](), list[str](), list[str]()
    for i, name in enumerate(names):
        rows.append(f"{'' if i else BASE:<{longest}}  {name}")
        selected.append(_interval(base[name], base.interval(name)))
        best.append("")
        unanswered.append("" if i else _unanswered([base]))
    for condition, result in results.conditions.items():
        chosen = [seed.selected.test for seed in result.seeds.values() if seed.selected is not None]
        for i, name in enumerate(names):
            mean = result.selected_mean[name]
            rows.append(f"{'' if i else condition:<{longest}}  {name}")
            selected.append(_interval(mean.value, mean.ci95))
            best.append(f"{100 * fmean(seed.best[name].value or 0 for seed in result.seeds.values()):.1f}")
            unanswered.append("" if i else _unanswered(chosen))
    several = any(len(result.seeds) > 1 for result in results.conditions.values())
    over = "seeds and problems" if several else "problems"
    columns = {"selected on\nvalidation": selected, "best on\ntest": best, "cut off /\nno answer, %": unanswered}
    print_columns(f"Test accuracy x 100 [95 % interval over {over}]", "condition, metric", rows, columns, console)
    print_lines([OPTIMISTIC], console)
    name = main_key(names) or ""
    differences = [row for row in sorted_by_control(results.differences) if row.metric == name]
    if NO_CONTROL in against_controls(list(results.conditions), differences, name):
        print_lines([NO_CONTROL], console)
    print_lines([_difference(row) for row in differences or _paired(results, name)], console)


def print_warnings(seed_directories: Mapping[tuple[str, int], Path]) -> None:
    """One line where guards warned while something trained, none elsewhere."""
    counts = {key: len(read_jsonl(directory / WARNINGS)) for key, directory in seed_directories.items()}
    warned = ", ".join(f"{condition} seed {seed} ({count})" for (condition, seed), count in counts.items() if count)
    if warned:
        print(f"Warnings during training: {warned}. The report says what was seen and what to do.")


def _paired(results: Results, name: str) -> list[PairedDifference]:
    """The same of a comparison by version 0.1.0."""
    found = {pair.partition(" - "): metrics[name] for pair, metrics in results.paired.items() if name in metrics}
    return [
        PairedDifference(condition=pair[0], minus=pair[2], metric=name, value=row.difference, ci95=row.ci95)
        for pair, row in found.items()
    ]


def _difference(row: PairedDifference) -> str:
    low, high = row.ci95 or (0.0, 0.0)
    who = f"{row.condition} - {row.minus}{' (control)' if row.is_control else ''}"
    return f"{who}: {row.metric} {100 * row.value:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _unanswered(chosen: Sequence[EvaluationMetrics]) -> str:
    """Both shares, the mean over seeds, of the checkpoints selected on validation."""
    rates = [(m.truncated_rate, m.unparseable_rate) for m in chosen]
    shown = [[rate for rate in side if rate is not None] for side in zip(*rates, strict=True)]
    return " / ".join(f"{100 * fmean(side):.1f}" if side else MISSING for side in shown)


def _interval(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None or interval is None:
        return ""
    return f"{100 * value:.1f} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
