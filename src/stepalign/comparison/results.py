"""The results of a comparison, from what its children left on disk: `results.json`.

Two rules choose a checkpoint, those of `stepalign.runs.choose`: `best`, the paper's, on the test problems, and
`selected`, the honest one, on validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from stepalign.evaluation.evaluate import ci95
from stepalign.feedback.conditions import CONTROLS
from stepalign.maths.intervals import paired_bootstrap
from stepalign.runs.choose import best, selected
from stepalign.runs.evaluations import PASS_AT, EvaluationRow, accuracy_keys, main_key
from stepalign.runs.files import EVALUATIONS
from stepalign.runs.results import ConditionResult, Difference, Mean, PairedDifference, Results, SeedResult
from stepalign.runs.row import read_rows

CHECKPOINT_KEYS = ("step", "num_rollouts", "num_generated_tokens", "wall_s", "validation", "test")
MORE_SPLITS = ("seen", "out_of_domain")
OF_TEST = (PASS_AT, "num_distinct_answers", "kl_to_base")  # stand beside the splits as well


def collect_results(base: Path, seed_directories: Mapping[tuple[str, int], Path]) -> Results:
    """The whole of `results.json`. Conditions or seeds without a finished evaluation are left out."""
    read = {key: read_rows(directory / EVALUATIONS, EvaluationRow) for key, directory in seed_directories.items()}
    rows = {key: evaluations for key, evaluations in read.items() if evaluations}
    values = {condition: _selected_values(condition, rows) for condition in dict.fromkeys(name for name, _ in rows)}
    conditions = {
        condition: ConditionResult(
            seeds={str(seed): summarize_seed(own) for (name, seed), own in rows.items() if name == condition},
            selected_mean={key: Mean(value=float(np.mean(v)), ci95=ci95(v)) for key, v in of_metrics.items()},
        )
        for condition, of_metrics in values.items()
    }
    paired = {
        f"{a} - {b}": {name: _difference(values[a][name], values[b][name]) for name in values[a]}
        for a, b in combinations(sorted(values, reverse=True), 2)
    }
    differences = [
        PairedDifference(
            condition=a,
            minus=b,
            metric=name,
            value=(found := paired_bootstrap(values[a][name], values[b][name])).estimate,
            ci95=[found.low, found.high],
            is_control=b in CONTROLS,
        )
        for a, b in _pairs(list(values))
        for name in values[a]
    ]
    untrained = next(iter(read_rows(base / EVALUATIONS, EvaluationRow)), EvaluationRow(step=0))
    return Results(
        base=untrained.test,
        conditions=conditions,
        base_validation=untrained.validation,
        paired=paired,
        differences=differences,
    )


def _pairs(conditions: Sequence[str]) -> list[tuple[str, str]]:
    """Each two conditions once, a control last."""
    ordered = sorted(conditions, key=lambda name: name in CONTROLS)
    return list(combinations(ordered, 2))


def summarize_seed(evaluations: Sequence[EvaluationRow]) -> SeedResult:
    """Checkpoints, the best test value of each metric, and the checkpoint selected on validation, of one seed."""
    chosen = _selected(evaluations)
    return SeedResult(
        checkpoints=[_checkpoint(row) for row in evaluations],
        best=best(evaluations, accuracy_keys(row.test for row in evaluations)),
        selected=EvaluationRow(step=chosen.step, test=chosen.test),
    )


def _checkpoint(row: EvaluationRow) -> EvaluationRow:
    more = {split: row.on(split) for split in MORE_SPLITS if row.on(split)}
    of_test = {key: row.test.get(key) for key in OF_TEST if row.test.get(key) is not None}
    return EvaluationRow(**{key: getattr(row, key) for key in CHECKPOINT_KEYS}, **more, **of_test)


def _selected(evaluations: Sequence[EvaluationRow]) -> EvaluationRow:
    chosen = selected(evaluations, main_key(accuracy_keys(row.validation for row in evaluations)))
    assert chosen is not None
    return chosen


def _selected_values(
    condition: str, rows: Mapping[tuple[str, int], Sequence[EvaluationRow]]
) -> dict[str, list[list[float]]]:
    """Per metric the test values at the selected checkpoints, (problems, seeds)."""
    of_seeds = [_selected(own).values["test"] for (name, _), own in rows.items() if name == condition]
    return {
        metric: [list(of_problem) for of_problem in zip(*(values[metric] for values in of_seeds), strict=True)]
        for metric in of_seeds[0]
    }


def _difference(a: list[list[float]], b: list[list[float]]) -> Difference:
    paired = paired_bootstrap(a, b)
    return Difference(difference=paired.estimate, ci95=[paired.low, paired.high], share_above_0=paired.share_above_zero)
