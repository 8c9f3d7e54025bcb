"""What came of a training run, from what it left on disk: its first and last numbers, and its best checkpoint.

>>> rows = [MetricsRow(step=1, loss=0.412), MetricsRow(step=2, loss=0.103)]
>>> [f"{change.label} {change}" for change in changes(rows)], ends(rows)
(['loss 0.412 -> 0.103'], 'first logged step -> last')
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from stepalign.core.files import read_json
from stepalign.runs.evaluations import EvaluationMetrics, EvaluationRow
from stepalign.runs.files import BEST, EVALUATIONS
from stepalign.runs.row import read_rows
from stepalign.runs.rows import MetricsRow

WINDOW = 5  # logged steps at either end whose mean is told; one step alone says little
SHARES = {  # of the rollouts; an accuracy is not shown without the two that can explain it
    "rollouts/correct_rate": "correct",
    "rollouts/unparseable_rate": "no answer found",
    "completions/clipped_ratio": "cut off",
}


class Change(NamedTuple):
    """A number at both ends of a run."""

    label: str
    first: float
    last: float
    is_share: bool = True

    def __str__(self) -> str:
        if self.is_share:
            return f"{100 * self.first:.0f} % -> {100 * self.last:.0f} %"
        return f"{self.first:.3g} -> {self.last:.3g}"


class Validated(NamedTuple):
    """The checkpoint that validation chose: its name, the metric that decided, and its metrics."""

    checkpoint: str
    metric: str
    value: float
    metrics: EvaluationMetrics


def window(rows: Sequence[MetricsRow]) -> int:
    """How many logged steps at either end are taken together: half of them, WINDOW at most."""
    return max(1, min(WINDOW, len(rows) // 2))


def ends(rows: Sequence[MetricsRow]) -> str:
    """What the two numbers of a change are, in words."""
    count = window(rows)
    return (
        "first logged step -> last" if count == 1 else f"mean of the first {count} logged steps -> of the last {count}"
    )


def changes(rows: Sequence[MetricsRow]) -> list[Change]:
    """Loss and shares of the rollouts at both ends; what was never logged is left out."""
    first, last = rows[: window(rows)], rows[-window(rows) :]
    found: list[Change] = []
    for key, label in {"loss": "loss", **SHARES}.items():
        both = [[float(row.get(key)) for row in end if row.get(key) is not None] for end in (first, last)]
        if all(both):
            found.append(Change(label, fmean(both[0]), fmean(both[1]), key in SHARES))
    return found


def validated(directory: Path) -> Validated | None:
    """The best checkpoint on validation, None where there was none."""
    if not (directory / BEST).exists():
        return None
    best = read_json(directory / BEST)
    rows = read_rows(directory / EVALUATIONS, EvaluationRow)
    metrics = next((row.validation for row in rows if row.step == best["step"]), EvaluationMetrics())
    return Validated(best["checkpoint"], best["metric"], best["value"], metrics)
