"""The results of a comparison, from what its children left on disk: `results.json`.

Two rules choose a checkpoint. `best`, the paper's: for each metric the best test value over all checkpoints, which is
optimistic, because it chooses on the test problems. `selected`, the honest one: the checkpoint with the best validation
avg@k (the earliest of equals), and its test metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from stepalign.core.files import read_jsonl
from stepalign.evaluation.evaluate import ci95
from stepalign.maths.intervals import paired_bootstrap
from stepalign.runs.files import EVALUATIONS

Row = dict[str, Any]
CHECKPOINT_KEYS = ("step", "num_rollouts", "num_generated_tokens", "wall_s", "validation", "test")


def collect_results(base: Path, seed_directories: Mapping[tuple[str, int], Path]) -> dict[str, Any]:
    """The whole of `results.json`. Conditions or seeds without a finished evaluation are left out."""
    rows = {key: read_jsonl(directory / EVALUATIONS) for key, directory in seed_directories.items()}
    conditions: dict[str, Any] = {}
    for (condition, seed), evaluations in rows.items():
        if evaluations:
            conditions.setdefault(condition, {"seeds": {}})["seeds"][str(seed)] = summarize_seed(evaluations)
    base_rows = read_jsonl(base / EVALUATIONS)
    results: dict[str, Any] = {"base": base_rows[0]["test"] if base_rows else None, "conditions": conditions}
    if base_rows:
        results["base_validation"] = base_rows[0]["validation"]
    selected = {condition: _selected_values(condition, rows) for condition in conditions}
    for condition, values in selected.items():
        conditions[condition]["selected_mean"] = {
            name: {"value": float(np.mean(of_problem)), "ci95": ci95(of_problem)} for name, of_problem in values.items()
        }
    results["paired"] = {
        f"{a} - {b}": {name: _difference(selected[a][name], selected[b][name]) for name in selected[a]}
        for a, b in combinations(sorted(selected, reverse=True), 2)
    }
    return results


def metric_names(metrics: Mapping[str, Any]) -> list[str]:
    return [name for name in metrics if "@" in name]


def summarize_seed(evaluations: list[Row]) -> dict[str, Any]:
    """Checkpoints, the best test value of each metric, and the checkpoint selected on validation, of one seed."""
    best: dict[str, Any] = {}
    for name in metric_names(evaluations[0]["test"]):
        row = max(evaluations, key=lambda row: row["test"][name])
        best[name] = {"step": row["step"], "value": row["test"][name]}
    chosen = selected_row(evaluations)
    return {
        "checkpoints": [{key: row[key] for key in CHECKPOINT_KEYS} for row in evaluations],
        "best": best,
        "selected": {"step": chosen["step"], "test": chosen["test"]},
    }


def selected_row(evaluations: list[Row]) -> Row:
    """The checkpoint with the best validation avg@k; the earliest of equals."""
    name = next(name for name in metric_names(evaluations[0]["validation"]) if name.startswith("avg@"))
    return max(evaluations, key=lambda row: row["validation"][name])


def _selected_values(condition: str, rows: Mapping[tuple[str, int], list[Row]]) -> dict[str, list[list[float]]]:
    """Per metric the test values at the selected checkpoints, (problems, seeds)."""
    of_seeds = [selected_row(r)["values"]["test"] for (name, _), r in rows.items() if name == condition and r]
    return {
        metric: [list(of_problem) for of_problem in zip(*(values[metric] for values in of_seeds), strict=True)]
        for metric in of_seeds[0]
    }


def _difference(a: list[list[float]], b: list[list[float]]) -> dict[str, Any]:
    paired = paired_bootstrap(a, b)
    return {
        "difference": paired.estimate,
        "ci95": [paired.low, paired.high],
        "share_above_0": paired.share_above_zero,
    }
