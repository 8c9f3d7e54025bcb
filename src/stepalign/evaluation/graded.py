"""Responses that were sampled elsewhere, graded.

>>> from stepalign.settings.command_groups import GradeSettings
>>> settings = GradeSettings(problems="problems.jsonl", samples="samples.jsonl", output_dir="graded")
>>> rollouts, summary = grade_samples(rollouts, settings)
>>> summary["num_samples"], rollouts[0].grade.outcome in Outcome
(3, True)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tqdm import tqdm

from stepalign.core.rollout import Outcome, Rollout
from stepalign.settings.command_groups import GradeSettings
from stepalign.settings.grading import make_grader


class Graded(NamedTuple):
    """The rollouts with their grades, in order, and what `grades.json` holds."""

    rollouts: list[Rollout]
    summary: dict[str, Any]


def grade_samples(rollouts: Sequence[Rollout], settings: GradeSettings) -> Graded:
    """Grade rollouts under a bar, with the grader and the limits of the settings."""
    limits = {"timeout_s": settings.timeout_s, "memory_limit_mb": settings.memory_limit_mb}
    with make_grader(settings, **limits, num_workers=settings.num_workers) as grader:
        grades = grader.grade_all((rollout.text, rollout.problem) for rollout in rollouts)
        bar = tqdm(zip(rollouts, grades, strict=True), total=len(rollouts), desc="grading", unit="sample")
        graded = [rollout.graded(grade) for rollout, grade in bar]
    return Graded(graded, summarize(graded))


def summarize(rollouts: Iterable[Rollout]) -> dict[str, Any]:
    """Counts and rates of each outcome; the rates add up to 1. Errors and scores are those of an own grader."""
    grades = [rollout.grade for rollout in rollouts if rollout.grade is not None]
    counts = Counter(grade.outcome for grade in grades)
    outcomes = [outcome for outcome in Outcome if counts[outcome] or outcome is not Outcome.ERROR]
    scores = [grade.score for grade in grades if grade.score is not None]
    return {
        "num_samples": len(grades),
        **{f"{outcome.value}_rate": counts[outcome] / len(grades) for outcome in outcomes},
        **({"mean_score": sum(scores) / len(scores)} if scores else {}),
        "counts": {outcome.value: counts[outcome] for outcome in outcomes},
    }
