"""Responses that were sampled elsewhere, graded.

>>> from stepalign.settings.command_groups import GradeSettings
>>> settings = GradeSettings(problems="problems.jsonl", samples="samples.jsonl", output_dir="graded")
>>> rollouts, summary = grade_samples(rollouts, settings)
>>> summary["num_samples"], rollouts[0].grade.outcome in Outcome
(3, True)
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from stepalign.core.files import write_json, write_jsonl
from stepalign.core.rollout import Outcome, Rollout
from stepalign.runs.files import GRADES, SAMPLES, USED_PROBLEMS
from stepalign.settings.command_groups import GradeSettings
from stepalign.settings.grading import make_grader


class Graded(NamedTuple):
    """The rollouts with their grades, in order, and what `grades.json` holds."""

    rollouts: list[Rollout]
    summary: dict[str, Any]


def grade_samples(rollouts: Sequence[Rollout], settings: GradeSettings) -> Graded:
    """Grade rollouts under a bar, with the grader and the limits of the settings."""
    limits = {"timeout_s": settings.timeout_s, "memory_limit_mb": settings.memory_limit_mb}
    with make_grader(settings, **limits, num_workers=settings.num_workers or os.cpu_count() or 1) as grader:
        grades = grader.grade_all((rollout.text, rollout.problem) for rollout in rollouts)
        bar = tqdm(zip(rollouts, grades, strict=True), total=len(rollouts), desc="grading", unit="sample")
        graded = [rollout.graded(grade) for rollout, grade in bar]
    return Graded(graded, summarize(graded))


def write_graded(directory: Path, graded: Graded, rows: Sequence[Mapping[str, Any]] | None = None) -> None:
    """Write what `stepalign grade` leaves: the samples with their grades, the counts, and the problems.

    Args:
        rows: the samples as they were given, whose further keys are kept; None: those of the rollouts.
    """
    given = [rollout.to_json() for rollout in graded.rollouts] if rows is None else rows
    pairs = zip(given, graded.rollouts, strict=True)
    write_jsonl(directory / SAMPLES, ({**row, **rollout.grade_json()} for row, rollout in pairs))
    write_json(directory / GRADES, graded.summary)
    used = {rollout.problem.id: rollout.problem for rollout in graded.rollouts}
    write_jsonl(directory / USED_PROBLEMS, (problem.to_json() for problem in used.values()))


def summarize(rollouts: Iterable[Rollout]) -> dict[str, Any]:
    """Counts and rates of each outcome; the rates add up to 1. Scores are an own grader's; so are errors of answers."""
    graded = [rollout for rollout in rollouts if rollout.grade is not None]
    grades = [rollout.grade for rollout in graded if rollout.grade is not None]
    counts = Counter(grade.outcome for grade in grades)
    is_code = any(rollout.problem.tests is not None for rollout in graded)
    of_code = (Outcome.ERROR, Outcome.MEMORY)
    outcomes = [outcome for outcome in Outcome if counts[outcome] or is_code or outcome not in of_code]
    scores = [grade.score for grade in grades if grade.score is not None]
    return {
        "num_samples": len(grades),
        **{f"{outcome.value}_rate": counts[outcome] / len(grades) for outcome in outcomes},
        **({"mean_score": sum(scores) / len(scores)} if scores else {}),
        "counts": {outcome.value: counts[outcome] for outcome in outcomes},
    }
