"""A row of the results: one subject against one baseline in one metric.

    row("loss_kernel_fp32", "time", Values("stepalign", [4.9, 5.1, 5.0]), Values("trl", [10.2, 10.4, 10.3]), bound=0.55)

`subject_value` and `baseline_value` are medians over the runs, `ratio` is the one by the other, and `spread` is the
larger of the two sides' (maximum - minimum) / median.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.runner import Measurement

Row = dict[str, Any]
UNITS = {"time": "s", "peak_memory": "bytes", "tokens": "tokens", "requests": "requests"}


@dataclass(frozen=True)
class Values:
    """The measured values of one side; `cpu_s` is their processor time, where the metric is time."""

    label: str
    values: Sequence[float]
    cpu_s: Sequence[float] = ()


def row(name: str, metric: str, subject: Values, baseline: Values, *, bound: float | None = None, **facts: Any) -> Row:
    """One row; `bound` is what the ratio should not exceed, `facts` are kept beside it."""
    ours, theirs = median(subject.values), median(baseline.values)
    ratio = ours / theirs if theirs else None
    result: Row = {
        "name": name,
        "subject": subject.label,
        "baseline": baseline.label,
        "metric": metric,
        "unit": UNITS[metric],
        "subject_value": ours,
        "baseline_value": theirs,
        "ratio": ratio,
        "runs": len(subject.values),
        "spread": max(_spread(subject.values), _spread(baseline.values)),
        "subject_runs": list(subject.values),
        "baseline_runs": list(baseline.values),
    }
    if bound is not None:
        result |= {"bound": bound, "within_bound": ratio is not None and ratio <= bound}
    if subject.cpu_s and baseline.cpu_s and median(baseline.cpu_s):
        result["cpu_ratio"] = median(subject.cpu_s) / median(baseline.cpu_s)
    return {**result, **facts}


def row_of(
    name: str,
    metric: str,
    measured: dict[str, list[Measurement]],
    subject: str,
    baseline: str,
    bound: float | None = None,
    **facts: Any,
) -> Row:
    """The row of two sides that `measure_alternately` measured."""

    def values(label: str) -> Values:
        runs = measured[label]
        if metric == "time":
            return Values(label, [m.time_s for m in runs], [m.cpu_s for m in runs])
        return Values(label, [float(m.peak_bytes) for m in runs])

    return row(name, metric, values(subject), values(baseline), bound=bound, **facts)


def _spread(values: Sequence[float]) -> float:
    middle = median(values)
    return (max(values) - min(values)) / middle if middle else 0.0
