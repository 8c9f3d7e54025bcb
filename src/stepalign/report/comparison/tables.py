"""The tables of the report as rows of text: results under both rules, paired differences, warnings, critics' ledgers.

>>> result_tables(run)["selected"][0]["cells"][0]
{'value': '24.4', 'interval': '17.4 to 31.4', 'step': ''}
"""

from __future__ import annotations

from statistics import fmean
from typing import Any

from stepalign.report.numbers import MISSING, count, duration, percent, percent_interval, points
from stepalign.runs.evaluations import EvaluationMetrics
from stepalign.runs.reading import Run, SeedRun
from stepalign.runs.results import Best, Difference

Cell = dict[str, str]


def result_tables(run: Run) -> dict[str, Any]:
    """`selected`: checkpoint chosen on validation. `best`: highest test value per metric. `paired`: differences."""
    return {
        "keys": list(run.keys),
        "selected": _with_means(run, [_base_row(run), *map(_selected_row(run), run.seed_runs)], means=run.means),
        "best": _with_means(run, [_base_row(run), *map(_best_row(run), run.seed_runs)], means={}),
        "paired": [
            {"pair": pair.replace(" - ", " − "), "cells": [_difference(row.get(key)) for key in run.keys]}
            for pair, row in run.paired.items()
        ],
    }


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


def _difference(entry: Difference | None) -> Cell:
    if entry is None:
        return {"value": MISSING, "interval": "", "step": ""}
    bounds = entry.ci95
    text = f"{points(bounds[0])} to {points(bounds[1])}" if bounds else ""
    return {"value": points(entry.difference), "interval": text, "step": ""}


def warnings_table(run: Run) -> list[dict[str, str]]:
    """What guards saw while the conditions trained: a row a warning, in the order of the results."""
    return [
        {"condition": seed.condition, "seed": seed.seed, "step": str(row.step), "message": str(row.message)}
        for seed in run.seed_runs
        for row in seed.warnings
    ]


def ledger_table(run: Run) -> dict[str, Any]:
    """The critics' ledgers: a column for each condition and seed, a row for each entry."""
    columns = [(seed, ledger) for seed in run.seed_runs if (ledger := seed.ledger.to_json())]
    ledgers = [_flat(ledger) for _, ledger in columns]
    keys = list(dict.fromkeys(key for ledger in ledgers for key in ledger))
    return {
        "columns": [f"{seed.condition}, seed {seed.seed}" for seed, _ in columns],
        "rows": [{"name": key, "cells": [_amount(key, ledger.get(key)) for ledger in ledgers]} for key in keys],
    }


def _flat(ledger: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in ledger.items():
        flat |= {f"{key}: {name}": item for name, item in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def _amount(key: str, value: object) -> str:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return MISSING if value is None else str(value)
    return duration(value) if key.endswith("_s") else f"{value:,}"
