"""The series behind the charts: one for each condition and seed, in the three groups test, validation and training.

A point carries all three x-axes (step, generated tokens, wall time), so that the page can switch without new data.

    >>> point = curves(run.seed_runs, run.keys, run.base)["test"][0]["points"][0]
    >>> point["step"], point["num_generated_tokens"], sorted(point)
    (0, 0, ['ci95', 'num_generated_tokens', 'step', 'values', 'wall_s'])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stepalign.runs.evaluations import EvaluationMetrics, EvaluationRow, charted, metric_of
from stepalign.runs.reading import SeedRun

AXES = ("step", "num_generated_tokens", "wall_s")
MAX_POINTS = 500  # of a training curve; more cannot be told apart


def curves(
    seed_runs: Sequence[SeedRun],
    keys: Sequence[str],
    base: EvaluationMetrics | None = None,
    base_validation: EvaluationMetrics | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """All series by group; `keys` are the accuracies, `base` and `base_validation` the untrained model's metrics."""
    names = (*keys, *charted())
    return {
        "test": [_evaluations(seed, "test", base, names) for seed in seed_runs],
        "validation": [_evaluations(seed, "validation", base_validation, names) for seed in seed_runs],
        "training": [_training(seed) for seed in seed_runs],
    }


def chart_data(keys: Sequence[str], training: Sequence[str] = ()) -> dict[str, Any]:
    """What the charts' script is told of the metrics; `training`: those of training that have a chart of their own."""
    known = {key: metric._asdict() for key in (*keys, *charted()) if (metric := metric_of(key))}
    return {"accuracy": list(keys), "rates": charted(), "metrics": known, "training": list(training)}


def _evaluations(seed: SeedRun, split: str, base: EvaluationMetrics | None, keys: tuple[str, ...]) -> dict[str, Any]:
    """Checkpoints of one split, the untrained model first where it was evaluated."""
    points = [_point(row, row.on(split), keys) for row in seed.checkpoints if row.on(split)]
    if base is not None and points and points[0]["step"] > 0:
        start = EvaluationRow(step=0, num_generated_tokens=0, wall_s=0)
        points.insert(0, _point(start, base, keys))
    return {"condition": seed.condition, "seed": seed.seed, "points": points}


def _point(row: EvaluationRow, metrics: EvaluationMetrics, keys: tuple[str, ...]) -> dict[str, Any]:
    values = {key: metrics.get(key) for key in keys if metrics.get(key) is not None}
    intervals = {key: bounds for key, bounds in metrics.ci95.items() if key in keys and bounds}
    return {axis: getattr(row, axis) for axis in AXES} | {"values": values, "ci95": intervals}


def _training(seed: SeedRun) -> dict[str, Any]:
    """Every logged number of training, thinned to `MAX_POINTS`; steps with probes, which are few, all stay."""
    stride = -(-len(seed.metrics) // MAX_POINTS) or 1
    points = [
        {axis: row.get(axis) for axis in AXES}
        | {"values": {k: v for k, v in row.items() if k not in AXES and _is_number(v)}, "ci95": {}}
        for i, row in enumerate(row.to_json() for row in seed.metrics)
        if i % stride == 0 or any(key.startswith("probe/") for key in row)
    ]
    return {"condition": seed.condition, "seed": seed.seed, "points": points}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
