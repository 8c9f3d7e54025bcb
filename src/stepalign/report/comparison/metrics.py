"""Evaluation metrics as the report reads them: which keys a run has, and the two rules for choosing a checkpoint.

The rules are those of `results.json`: the best test value of each metric on its own (as in arXiv 2606.11173), and the
checkpoint with the best validation avg@k, with its test values. A run that was interrupted has neither yet; they are
then worked out from the checkpoints that exist.

    accuracy_keys(metrics)                 # ["pass@12", "maj@12", "avg@12"]
    select(checkpoints, "avg@12")          # {"step": 40, "test": {...}}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

Metrics = dict[str, Any]

ACCURACY = re.compile(r"(pass|maj|avg)@([1-9]\d*)")
ORDER = ("pass", "maj", "avg")
RATES = ("mean_length", "truncated_rate", "unparseable_rate", "timeout_rate")


def accuracy_keys(metrics: Iterable[str]) -> list[str]:
    """The keys pass@k, maj@k and avg@k in this order, small k first."""
    found = [match for key in metrics if (match := ACCURACY.fullmatch(key))]
    return [m.group() for m in sorted(found, key=lambda m: (ORDER.index(m.group(1)), int(m.group(2))))]


def main_key(keys: Sequence[str]) -> str | None:
    """The metric that ranks conditions: avg@k with the largest k."""
    averages = [key for key in keys if key.startswith("avg@")]
    return averages[-1] if averages else None


def interval(metrics: Metrics, key: str) -> tuple[float, float] | None:
    """The 95 % interval of one metric, None where the run has none."""
    bounds = metrics.get("ci95", {}).get(key)
    return (bounds[0], bounds[1]) if bounds else None


def best(checkpoints: Sequence[dict[str, Any]], keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """For each metric the checkpoint with the highest test value; the earliest where several share it."""
    result: dict[str, dict[str, Any]] = {}
    for key in keys:
        scored = [row for row in checkpoints if row.get("test", {}).get(key) is not None]
        if scored:
            top = max(scored, key=lambda row: row["test"][key])
            result[key] = {"step": top["step"], "value": top["test"][key]}
    return result


def select(checkpoints: Sequence[dict[str, Any]], key: str | None) -> dict[str, Any] | None:
    """The checkpoint with the highest validation value of `key`, with its test metrics; the earliest of equals."""
    scored = [row for row in checkpoints if key and row.get("validation", {}).get(key) is not None and row.get("test")]
    if not scored:
        return None
    top = max(scored, key=lambda row: row["validation"][key])
    return {"step": top["step"], "test": top["test"]}
