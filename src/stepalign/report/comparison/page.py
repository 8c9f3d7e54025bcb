"""The report of a comparison: results, curves, where the signal falls, rollouts, and what training left.

>>> render_page(run).count("</html>")
1
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stepalign.report import numbers
from stepalign.report.comparison.headline import class_chart_of, headline, picture
from stepalign.report.comparison.summary import summarize
from stepalign.report.comparison.tables import result_tables
from stepalign.report.curves import chart_data, curves
from stepalign.report.page.sections import Bars, Cell, Charts, Column, Section, Signal, Summary, Table, Words, render
from stepalign.report.probes import scored_rollouts
from stepalign.report.records import records, version_of, warnings_table
from stepalign.report.rollouts import Shown, browser_data, context_side, pack_rollouts
from stepalign.runs.reading import Run

RESULTS = (
    "Test problems, in percent; small figures are 95 % bootstrap intervals over problems, of means over seeds and of "
    "differences over seeds and problems."
)
OPTIMISTIC = "Each metric picks its own checkpoint on the test problems: optimistic."
OF_BASE = (
    "The base model, before training; of each kind the first rollout that training recorded; the context of each "
    "condition, on one scale."
)
NO_SIGNAL = (
    "No rollout can be shown: each has no context, or its text gives another number of tokens than were sampled."
)


def render_page(run: Run) -> str:
    """The whole report as one HTML document."""
    archive = pack_rollouts(rollouts_of(run))
    problems = [row for rows in run.problems.values() for row in rows]
    return render(
        numbers.listing(run.conditions) or "no condition",
        [
            _summary(run),
            _results(run),
            Section("curves", "Curves", [Charts(evaluated=True)]),
            Section("signal", "Where the signal falls", _signal(run), short="Signal"),
            Section(
                "rollouts",
                "Rollouts",
                [archive.browser("training rollouts", "The run has no training rollouts yet.")],
            ),
            *records(run.seed_runs, run.config_text, run.environment),
        ],
        {
            "conditions": run.conditions,
            **chart_data(run.keys),
            "curves": curves(run.seed_runs, run.keys, run.base, run.base_validation),
            "signal": [row.to_json() for row in run.signal or ()],
            **browser_data(problems),
        },
        name=run.directory.resolve().name,
        version=version_of(run.environment),
        finished=not run.missing,
        chunks=archive.chunks,
        packed=archive.packed(),
    )


def rollouts_of(run: Run) -> list[Shown]:
    """All training rollouts with their context, by condition and seed."""
    shown: list[Shown] = []
    for seed in run.seed_runs:
        scored = scored_rollouts(seed.directory, seed.condition, run.signal or ())
        labels = {"condition": seed.condition, "seed": seed.seed}
        for row in seed.rollouts():
            of = scored.get((row.problem_id, row.sample, row.text))
            shown.append(Shown(row, labels, [context_side(row)], scored=of))
    return shown


def _summary(run: Run) -> Section:
    summary = summarize(run)
    left = [("What was compared", summary.compared), ("What came out", summary.outcome)]
    right = [("How sure", summary.certainty or ["Nothing can be said yet."]), ("Keep in mind", summary.cautions)]
    lead = headline(run).replace(" %", "\u00a0%")
    return Section("summary", "Summary", [Summary(left, right, [lead] if lead else [], picture(run))])


def _signal(run: Run) -> list[Signal | Words | Bars | None]:
    if run.signal is None:
        return []
    return [Signal(OF_BASE), class_chart_of(run)] if run.signal else [Words([NO_SIGNAL])]


def _results(run: Run) -> Section:
    tables = result_tables(run)
    metrics = [Column(key, num=True) for key in tables["keys"]]
    who = [Column("Condition"), Column("Seed")]
    cost = [Column("Step", num=True), *metrics, Column("Tokens", num=True), Column("Time", num=True)]
    best = [[*_who(row), *_cells(row)] for row in tables["best"]]
    paired = [[row["pair"], *_cells(row)] for row in tables["paired"]]
    parts = [
        Words([RESULTS]),
        _table(
            "Checkpoint chosen on validation", [*who, *cost], map(_selected, tables["selected"]), tables["selected"]
        ),
        _table("Best test value of each metric", [*who, *metrics], best, tables["best"], OPTIMISTIC),
    ]
    if paired:
        aside = "Percentage points over the same test problems."
        parts.append(Table("Paired differences", [Column("Difference"), *metrics], paired, aside))
    parts += _beside(run.main_key, tables["beside"])
    return Section("results", "Results", [*parts, warnings_table(run.seed_runs)])


def _beside(key: str, rows: Sequence[Mapping[str, Any]]) -> list[Table]:
    """Seen and unseen problems, variety and drift; what no condition has is left out."""
    shares = {"unseen": f"{key}, unseen", "seen": f"{key}, seen", "out_of_domain": f"{key}, out of domain"}
    shares |= {"pass@1": "pass@1", "pass@4": "pass@4", "truncated_rate": "cut off", "hedge_rate": "hedges a word"}
    plain = {"num_distinct_answers": "distinct answers", "kl_to_base": "KL to the base, nats"}
    columns = {n: t for n, t in {**shares, **plain}.items() if any(n in row["values"] for row in rows)}
    if set(columns) <= {"unseen"}:
        return []
    write = {name: numbers.percent if name in shares else _plain for name in columns}
    cells = [[row["condition"], *(write[name](row["values"].get(name)) for name in columns)] for row in rows]
    aside = "Test problems at the checkpoint chosen on validation, means over seeds; seen: problems trained on."
    heads = [Column("Condition"), *(Column(title, num=True) for title in columns.values())]
    return [Table("Beside the accuracies: seen and unseen problems, variety, drift", heads, cells, aside)]


def _plain(value: float | None) -> str:
    return numbers.MISSING if value is None else f"{value:.3g}"


def _table(
    title: str, columns: Sequence[Column], rows: Any, entries: Sequence[Mapping[str, Any]], aside: str = ""
) -> Table:
    return Table(title, columns, list(rows), aside, strong=[i for i, entry in enumerate(entries) if "mean" in entry])


def _selected(row: Mapping[str, Any]) -> list[Cell | str]:
    return [*_who(row), row.get("step", ""), *_cells(row), row.get("tokens", ""), row.get("wall", "")]


def _who(row: Mapping[str, Any]) -> list[Cell | str]:
    count = row.get("num_warnings", 0)
    said = f"{count} warning{'s' if count > 1 else ''}" if count else ""
    return [Cell(row["condition"], said, "#warnings" if said else "", condition=row["condition"]), row["seed"]]


def _cells(row: Mapping[str, Any]) -> list[Cell]:
    return [
        Cell(cell["value"], f"step {cell['step']}" if cell["step"] else "", below=cell["interval"])
        for cell in row["cells"]
    ]
