"""What a command leaves, as JSON and as Markdown: `benchmarks.json` and `benchmarks.md`, or files of its own name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine, versions
from benchmarks.rows import Row
from stepalign.core.files import write_json, write_text

COLUMNS = ("case", "subject", "baseline", "metric", "subject", "baseline", "ratio", "bound", "runs", "spread")
DEFINITIONS = (
    "Values are medians over the runs; ratio is subject / baseline; spread is the larger of the two sides' "
    "(maximum - minimum) / median. Runs alternate between the sides, each in a process of its own. "
    "Peak memory is above what was in use just before: resident memory, on a GPU what torch has allocated."
)


def table(columns: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(map(str, cells))} |" for cells in (columns, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(columns), *lines[1:]])


def save(directory: Path, name: str, record: Mapping[str, Any], text: str) -> None:
    """Write what one command measured, with where and with what, as `name`.json and `name`.md, and print the latter."""
    write_json(directory / f"{name}.json", {**record, "machine": describe_machine(), "versions": versions()})
    write_text(directory / f"{name}.md", text)
    print(text)


def write_report(directory: Path, results: dict[str, Any]) -> None:
    """Write both files; called after every case, so that an interrupted run keeps what it has."""
    write_json(directory / "benchmarks.json", results)
    write_text(directory / "benchmarks.md", to_markdown(results))


def to_markdown(results: dict[str, Any]) -> str:
    machine, settings = results["machine"], results["settings"]
    lines = [
        "# Benchmarks",
        "",
        f"{machine['cpu']}, {machine['num_cores']} cores, {machine['num_threads']} threads, {machine['memory_gb']} GB; "
        f"load {machine['load_before']} before, {machine.get('load_after', 'unknown')} after. "
        + ("Quick sizes: they say nothing about speed." if settings["quick"] else ""),
        "",
        ", ".join(f"{name} {version}" for name, version in results["versions"].items() if version),
        "",
        table(COLUMNS, map(_cells, results["cases"])),
        "",
        DEFINITIONS,
    ]
    fits = [_fit(row) for row in results["cases"] if "fit" in row]
    if fits:
        lines += ["", "Straight lines through the medians, and the exponent of the power law:", "", *fits]
    inputs = dict.fromkeys(f"- {row['name']}: {row['inputs']}" for row in results["cases"] if "inputs" in row)
    if inputs:
        lines += ["", "Inputs:", "", *inputs]
    if results["failures"]:
        lines += ["", "Not measured:", "", *(f"- {f['name']}: {f['reason']}" for f in results["failures"])]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    ratio = "" if row["ratio"] is None else f"{row['ratio']:.3f}"
    bound = "" if "bound" not in row else f"{'≤' if row['within_bound'] else '**>**'} {row['bound']}"
    values = (_value(row[f"{side}_value"], row["metric"]) for side in ("subject", "baseline"))
    cells = [row["name"], row["subject"], row["baseline"], row["metric"].replace("_", " "), *values]
    return [*cells, ratio, bound, str(row["runs"]), f"{row['spread']:.0%}"]


def _fit(row: Row) -> str:
    fit = row["fit"]
    exponent, residual = fit["exponent"], fit["largest_residual"]
    shown = [f"exponent {exponent:.2f}" if exponent is not None else "", f"slope {fit['slope']:.3g} {row['unit']}"]
    shown.append(f"largest residual {residual:.0%}" if residual is not None else "")
    points = ", ".join(f"{size:,}: {_value(value, row['metric'])}" for size, value in fit["points"])
    return f"- {row['subject']}, {row['metric'].replace('_', ' ')}: {', '.join(s for s in shown if s)} ({points})"


def _value(value: float, metric: str) -> str:
    if metric == "time":
        return f"{value:.3g} s"
    if metric == "peak_memory":
        return f"{value / 1e9:.2f} GB" if value >= 1e8 else f"{value / 1e6:.1f} MB"
    return f"{value:,.0f}"
