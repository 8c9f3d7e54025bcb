"""The report of an evaluation, or of samples that were graded: metrics, outcomes, problems by accuracy, samples."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stepalign.core.rollout import Outcome
from stepalign.report.numbers import MISSING, percent, percent_interval, shortened
from stepalign.report.page.sections import Cell, Column, Fold, Section, Summary, Table, Texts, Words, render
from stepalign.report.records import settings_table
from stepalign.report.rollouts import Shown, browser_data, pack_rollouts
from stepalign.report.settings import flatten
from stepalign.runs import files
from stepalign.runs.evaluations import PASS_AT, EvaluationMetrics, accuracy_keys, main_key, metric_of
from stepalign.runs.problems import used_problems
from stepalign.runs.row import read_mapping, read_rows
from stepalign.runs.rows import ProblemRow, RolloutRow
from stepalign.runs.world import MICRO, world_of

MAX_PROBLEMS = 1000  # rows of the table of problems
SOLVED = "solved"


def render_page(directory: Path) -> str:
    """The whole report as one HTML document."""
    settings = read_mapping(directory / files.EVALUATION)
    path = directory / files.TEST_METRICS
    metrics = EvaluationMetrics.read(f"{path}: ", read_mapping(path))
    rows = read_rows(directory / files.SAMPLES, RolloutRow)
    finished = bool(metrics) or (directory / files.GRADES).exists()
    if not finished:
        rows = read_rows(directory / files.PARTIAL_SAMPLES, RolloutRow)
    problems, solved = used_problems(directory), _solved(rows)
    archive = pack_rollouts([Shown(row, {SOLVED: _said(solved.get(str(row.problem_id)))}) for row in rows])
    said = Summary(
        [("What was sampled", [_sampled(settings, rows)]), ("What came out", [_outcome(metrics, rows)])],
        [
            ("Keep in mind", _cautions(metrics, rows, settings, finished)),
        ],
    )
    config = json.dumps(settings, indent=2, ensure_ascii=False)
    parts = [
        settings_table("All settings", flatten(settings)),
        Fold("evaluation.json", [Texts([("evaluation.json", config)])]),
    ]
    return render(
        _title(settings),
        [
            Section("summary", "Summary", [said]),
            Section("results", "Results", [_metrics_table(metrics), outcomes_table(rows)]),
            Section("problems", "Problems by accuracy", _problems(solved, problems)),
            Section("samples", "Samples", [archive.browser("samples", "There are no samples yet.")]),
            Section("settings", "Settings", parts if settings else []),
        ],
        {
            "conditions": [],
            **browser_data(
                problems,
                columns=("problem_id", "sample", "grade"),
                filters=("grade", "finish_reason", SOLVED),
                labels={"finish_reason": "Ended", SOLVED: "Right samples of its problem"},
                noun="samples",
            ),
        },
        name=directory.resolve().name,
        finished=finished,
        chunks=archive.chunks,
        packed=archive.packed(),
    )


def outcomes_table(rows: Sequence[RolloutRow]) -> Table | None:
    """How many of the responses are right, wrong, or could not be graded, and how many were cut off."""
    graded = [row for row in rows if row.grade is not None]
    counts = Counter(row.grade for row in graded)
    entries = [(str(outcome), counts[outcome], len(graded)) for outcome in Outcome]
    entries.append(("cut off at the token limit", sum(row.finish_reason == "length" for row in rows), len(rows)))
    cells = [
        [name, f"{number:,}", Cell(f"{percent(number / total)} %", share=number / total)]
        for name, number, total in entries
        if total
    ]
    columns = [Column("Outcome"), Column("Responses", num=True), Column("Share", num=True)]
    return Table("Outcomes", columns, cells) if graded else None


def _title(settings: Mapping[str, Any]) -> str:
    model, problems = settings.get("model"), settings.get("problems")
    return f"{Path(str(model)).name} on {Path(str(problems)).name}" if model and problems else "Graded samples"


def _sampled(settings: Mapping[str, Any], rows: Sequence[RolloutRow]) -> str:
    problems = len({row.problem_id for row in rows})
    text = f"{len(rows):,} samples of {problems:,} problems."
    if settings.get("model"):
        adapter = f" with the adapter {settings['adapter']}" if settings.get("adapter") else ""
        text += f" Model: {settings['model']}{adapter}. Problems: {settings.get('problems')}."
        text += f" Temperature {settings.get('temperature')}, seed {settings.get('seed')}."
    return text


def _outcome(metrics: EvaluationMetrics, rows: Sequence[RolloutRow]) -> str:
    key = main_key(accuracy_keys([metrics]))
    if key is not None:
        return (
            f"{key} is {percent(metrics[key])} % (95 % interval {percent_interval(metrics.interval(key)) or MISSING})."
        )
    graded = [row for row in rows if row.grade is not None]
    if not graded:
        return "Nothing is graded yet."
    return f"{percent(sum(row.grade == Outcome.CORRECT for row in graded) / len(graded))} % of the samples are right."


def _cautions(
    metrics: EvaluationMetrics, rows: Sequence[RolloutRow], settings: Mapping[str, Any], finished: bool
) -> list[str]:
    lines: list[str] = []
    if not finished:
        lines.append(f"This evaluation is not finished: {len(rows):,} samples are there. Run the same command again.")
    if metrics.ungraded_rate > 0.05:
        lines.append(f"{percent(metrics.ungraded_rate)} % of the samples could not be graded; none count as correct.")
    if (metrics.truncated_rate or 0) > 0.05:
        lines.append(f"{percent(metrics.truncated_rate)} % of the samples were cut off at the token limit.")
    if metrics.ci95:
        lines.append(
            "Intervals are 95 % bootstrap intervals over problems: what other problems of the kind would give."
        )
    if world_of(settings) == MICRO:
        lines.append("The micro world is constructed: its numbers are no evidence about language models at large.")
    return lines or ["Grading is by mathematical equality with the true answers."]


def _metrics_table(metrics: EvaluationMetrics) -> Table | None:
    rows: list[list[str]] = []
    accuracies = accuracy_keys([metrics])
    for key in (*accuracies, *(key for key in metrics.to_json() if key not in accuracies)):
        known, value = metric_of(key), metrics.get(key)
        if known is not None and value is not None:
            is_share = known.kind in ("accuracy", "share")
            shown = f"{percent(value)} %" if is_share else f"{value:,.1f}" if known.kind == "tokens" else f"{value:.3g}"
            rows.append([key, shown, percent_interval(metrics.interval(key)), known.label])
    columns = [
        Column("Metric", code=True),
        Column("Value", num=True),
        Column("95 % interval", num=True),
        Column("Meaning", wrap=True),
    ]
    if metrics.pass_at:
        curve = ", ".join(f"{percent(value)} ({k})" for k, value in metrics.pass_at.items())
        rows.append([PASS_AT, curve, "", "any of k responses is right, for each k"])
    return Table("Metrics", columns, rows) if rows else None


def _solved(rows: Sequence[RolloutRow]) -> dict[str, tuple[int, int]]:
    """Of each problem how many of its graded samples are right, and how many there are."""
    right, total = Counter[str](), Counter[str]()
    for row in rows:
        if row.grade is not None:
            total[str(row.problem_id)] += 1
            right[str(row.problem_id)] += row.grade == Outcome.CORRECT
    return {name: (right[name], total[name]) for name in total}


def _said(solved: tuple[int, int] | None) -> str | None:
    return f"{solved[0]} of {solved[1]}" if solved else None


def _problems(solved: Mapping[str, tuple[int, int]], problems: Sequence[ProblemRow]) -> list[Words | Table | Fold]:
    """How many problems have how many right samples, and each problem, the hardest first."""
    if not solved:
        return []
    spread = Counter(solved.values())
    counts = [
        [f"{right} of {total}", f"{number:,}", Cell(f"{percent(number / len(solved))} %", share=number / len(solved))]
        for (right, total), number in sorted(spread.items(), key=lambda entry: entry[0][0] / entry[0][1])
    ]
    columns = [Column("Right samples"), Column("Problems", num=True), Column("Share", num=True)]
    texts = {str(row.id): str(row.problem) for row in problems}
    hardest = sorted(solved, key=lambda name: solved[name][0] / solved[name][1])[:MAX_PROBLEMS]
    rows = [
        [name, Cell(str(_said(solved[name])), share=solved[name][0] / solved[name][1]), shortened(texts.get(name))]
        for name in hardest
    ]
    left = len(solved) - len(hardest)
    aside = f"The {len(hardest):,} hardest; {left:,} more are in the browser." if left else ""
    each = Table(
        "Each problem", [Column("Problem"), Column("Right samples", num=True), Column("Text", wrap=True)], rows, aside
    )
    return [Table("Problems by right samples", columns, counts), Fold("Each problem, the hardest first", [each])]
