"""The tables of results as rows of text: under both rules of choosing a checkpoint, and paired differences.

>>> result_tables(run)["selected"][0]["cells"][0]
{'value': '24.4', 'interval': '17.4 to 31.4', 'step': ''}
"""

from __future__ import annotations

from statistics import fmean
from typing import Any

from stepalign.report.comparison.controls import sorted_by_control
from stepalign.report.numbers import MISSING, count, duration, percent, percent_interval, points
from stepalign.runs.evaluations import EvaluationMetrics
from stepalign.runs.reading import Run, SeedRun
from stepalign.runs.results import Best, Difference, PairedDifference

Cell = dict[str, str]


def result_tables(run: Run) -> dict[str, Any]:
    """`selected`: checkpoint chosen on validation. `best`: highest test value per metric. `paired`: differences."""
    return {
        "keys": list(run.keys),
        "selected": _with_means(run, [_base_row(run), *map(_selected_row(run), run.seed_runs)], means=run.means),
        "best": _with_means(run, [_base_row(run), *map(_best_row(run), run.seed_runs)], means={}),
        "paired": _paired(run),
    }


def _paired(run: Run) -> list[dict[str, Any]]:
    """Conditions minus controls first."""
    if not run.differences:  # of version 0.1.0
        return [
            {"pair": pair.replace(" - ", " − "), "cells": [_difference(row.get(key)) for key in run.keys]}
            for pair, row in run.paired.items()
        ]
    pairs: dict[str, dict[str, PairedDifference]] = {}
    for row in sorted_by_control(run.differences):
        name = f"{row.condition} − {row.minus}{' (control)' if row.is_control else ''}"
        pairs.setdefault(name, {})[row.metric] = row
    return [{"pair": pair, "cells": [_difference(row.get(key)) for key in run.keys]} for pair, row in pairs.items()]


def _base_row(run: Run) -> dict[str, Any]:
    cells = [_cell(run.base.get(key), run.base.interval(key)) for key in run.keys]
    return {"condition": "base", "seed": MISSING, "step": "0", "tokens": "0", "wall": MISSING, "cells": cells}


def _selected_row(run: Run) -> Any:
    def row(seed: SeedRun) -> dict[str, Any]:
        test = seed.selected.test if seed.selected else EvaluationMetrics()
        cost = seed.at(seed.selected.step) if seed.selected else None
        return {
            "condition": seed.condition,
            "seed": seed.seed,
            "step": str(seed.selected.step) if seed.selected else MISSING,
            "tokens": count(cost.num_generated_tokens if cost else None),
            "wall": duration(cost.wall_s if cost else None),
            "cells": [_cell(test.get(key), test.interval(key)) for key in run.keys],
            "values": [test.get(key) for key in run.keys],
            "num_warnings": len(seed.warnings),
        }

    return row


def _best_row(run: Run) -> Any:
    def row(seed: SeedRun) -> dict[str, Any]:
        entries = [seed.best.get(key, Best()) for key in run.keys]
        rows = [seed.at(entry.step) for entry in entries]
        cells = [
            _cell(entry.value, row.test.interval(key) if row else None, "" if entry.step is None else str(entry.step))
            for key, entry, row in zip(run.keys, entries, rows, strict=True)
        ]
        values = [entry.value for entry in entries]
        return {"condition": seed.condition, "seed": seed.seed, "cells": cells, "values": values}

    return row


def _with_means(run: Run, rows: list[dict[str, Any]], means: dict[str, EvaluationMetrics]) -> list[dict[str, Any]]:
    """After the rows of a condition with several seeds, their mean."""
    result: list[dict[str, Any]] = []
    for i, row in enumerate(rows):
        result.append(row)
        last = i + 1 == len(rows) or rows[i + 1]["condition"] != row["condition"]
        group = [r["values"] for r in rows if r["condition"] == row["condition"] and "values" in r]
        if last and len(group) > 1:
            columns = [[value for value in column if value is not None] for column in zip(*group, strict=True)]
            mean = means.get(row["condition"], EvaluationMetrics())
            cells = [_mean_cell(column, mean.interval(key)) for key, column in zip(run.keys, columns, strict=True)]
            result.append(
                {"condition": row["condition"], "seed": f"mean of {len(group)}", "cells": cells, "mean": True}
            )
    return result


def _mean_cell(values: list[float], bounds: tuple[float, float] | None) -> Cell:
    """Mean over seeds with its interval, or else with the spread of the seeds."""
    spread = f"seeds {percent(min(values))} to {percent(max(values))}" if values else ""
    mean = percent(fmean(values) if values else None)
    return {"value": mean, "interval": percent_interval(bounds) or spread, "step": ""}


def _cell(value: float | None, bounds: tuple[float, float] | None, step: str = "") -> Cell:
    return {"value": percent(value), "interval": percent_interval(bounds), "step": step}


def _difference(entry: Difference | PairedDifference | None) -> Cell:
    if entry is None:
        return {"value": MISSING, "interval": "", "step": ""}
    bounds = entry.ci95
    text = f"{points(bounds[0])} to {points(bounds[1])}" if bounds else ""
    value = entry.value if isinstance(entry, PairedDifference) else entry.difference
    return {"value": points(value), "interval": text, "step": ""}
