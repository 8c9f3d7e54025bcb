"""What a comparison may claim of feedback: each condition minus each control, or what cannot be claimed without one.

A gain over the base model says nothing of alignment by itself: another problem's solution, or no context at all, may
teach as much (arXiv 2608.09228).

    >>> against_controls(["refsol", "stepalign"], [], "avg@12")
    ['No control was trained (none, other or random_step), so no gain here can be put down to what the feedback ...']
"""

from __future__ import annotations

from collections.abc import Sequence

from stepalign.feedback.conditions import CONTROLS, GRPO
from stepalign.report.numbers import points
from stepalign.runs.results import PairedDifference

NO_CONTROL = (
    "No control was trained (none, other or random_step), so no gain here can be put down to what the feedback says: "
    "any context, or none, might teach as much. Add them with --controls."
)


def against_controls(conditions: Sequence[str], differences: Sequence[PairedDifference], key: str) -> list[str]:
    """A sentence for each condition minus each control, controls among themselves last; one that warns where none was
    trained. None of either where no condition learns from a context.

    Args:
        conditions: all of the comparison.
        differences: those of `results.json`.
        key: the metric.
    """
    if all(condition == GRPO for condition in conditions):
        return []
    if not any(condition in CONTROLS for condition in conditions):
        return [NO_CONTROL]
    return [difference_sentence(row) for row in sorted_by_control(differences) if row.is_control and row.metric == key]


def sorted_by_control(differences: Sequence[PairedDifference]) -> list[PairedDifference]:
    """Conditions minus controls first, then conditions among themselves, then controls among themselves."""

    def place(row: PairedDifference) -> int:
        return 2 if row.condition in CONTROLS else 0 if row.is_control else 1

    return sorted(differences, key=place)


def difference_sentence(row: PairedDifference) -> str:
    """One difference in words, with its interval and whether that includes zero."""
    name = f"{row.condition} \u2212 {row.minus}{' (control)' if row.is_control else ''}"
    said = f"{name}: {points(row.value)} points of {row.metric}"
    if not row.ci95:
        return f"{said}."
    low, high = row.ci95
    verdict = "which includes zero: the order is not settled" if low <= 0 <= high else "which excludes zero"
    return f"{said}, 95 % interval {points(low)} to {points(high)}, {verdict}."
