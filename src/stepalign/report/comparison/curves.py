"""The series behind the charts: one for each condition and seed, in the three groups test, validation and training.

A point carries all three x-axes (step, generated tokens, wall time), so that the page can switch without new data.

    >>> point = curves(run)["test"][0]["points"][0]
    >>> point["step"], point["num_generated_tokens"], sorted(point)
    (0, 0, ['ci95', 'num_generated_tokens', 'step', 'values', 'wall_s'])
"""

from __future__ import annotations

from typing import Any

from stepalign.runs.evaluations import EvaluationMetrics, EvaluationRow, charted
from stepalign.runs.reading import Run, SeedRun

AXES = ("step", "num_generated_tokens", "wall_s")
MAX_POINTS = 500  # of a training curve; more cannot be told apart


def curves(run: Run) -> dict[str, list[dict[str, Any]]]:
    """All series of the run by group."""
    keys = (*run.keys, *charted())
    return {
        "test": [_evaluations(seed, "test", run.base, keys) for seed in run.seed_runs],
        "validation": [_evaluations(seed, "validation", run.base_validation, keys) for seed in run.seed_runs],
        "training": [_training(seed) for seed in run.seed_runs],
    }


def _evaluations(seed: SeedRun, split: str, base: EvaluationMetrics, keys: tuple[str, ...]) -> dict[str, Any]:
    """Checkpoints of one split, the untrained model first."""
    points = [_point(row, row.on(split), keys) for row in seed.checkpoints]
    if points and points[0]["step"] > 0:
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
