"""Does the gap before training foretell the gain after it? The points of all our studies, and the line through them.

Gap: of the student's failures the share that the self-teacher solves with a context, minus the share that plain
resampling solves (`failures` of a preflight). Gain: avg@n at the last checkpoint minus the untrained model's. The line
is least squares over all points of `gap_gain.jsonl`; arXiv 2605.30070 reports such a law.

    >>> ends = [Point(study="a", condition="x", gap=0.0, gain=0.1), Point(study="a", condition="y", gap=1.0, gain=0.5)]
    >>> line = fit(ends)
    >>> round(line.at(0.5), 3), line.num_points
    (0.3, 2)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stepalign.runs.row import Row, read_rows

POINTS = Path(__file__).with_name("gap_gain.jsonl")
FEWEST = 3  # points; through fewer any line passes


class Point(Row):
    """One condition of one study: gap and gain are shares, -1 to 1, the gain a mean over `num_seeds`."""

    study: str
    condition: str
    gap: float
    gain: float
    num_seeds: int = 1
    is_micro: bool = False


class Line(NamedTuple):
    """gain = intercept + slope * gap; `spread`: the standard deviation of the points around it."""

    slope: float
    intercept: float
    spread: float
    correlation: float
    num_points: int

    def at(self, gap: float) -> float:
        """The gain that the line predicts."""
        return self.intercept + self.slope * gap


def fit(points: Sequence[Point]) -> Line:
    """The least-squares line through two or more points whose gaps differ."""
    gaps, gains = np.array([p.gap for p in points]), np.array([p.gain for p in points])
    slope, intercept = np.polyfit(gaps, gains, 1)
    residuals = gains - (intercept + slope * gaps)
    freedom = max(1, len(points) - 2)
    correlation = float(np.corrcoef(gaps, gains)[0, 1])
    return Line(
        float(slope), float(intercept), float(np.sqrt((residuals**2).sum() / freedom)), correlation, len(points)
    )


@cache
def known_points() -> tuple[Point, ...]:
    """Those of all studies in the docs."""
    return tuple(read_rows(POINTS, Point))


def known_line() -> Line | None:
    """The line through all known points, None where they are too few."""
    points = known_points()
    return fit(points) if len(points) >= FEWEST else None
