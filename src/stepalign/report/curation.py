"""The report of a curation: the funnel, how often the solver solves the problems that were kept, and these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stepalign.report.numbers import MISSING, listing, percent, shortened
from stepalign.report.page.sections import Cell, Column, Fold, Section, Summary, Table, render
from stepalign.report.records import environment_section, version_of
from stepalign.runs import files
from stepalign.runs.row import read_mapping, read_rows
from stepalign.runs.rows import ProblemRow

MAX_PROBLEMS = 1000  # rows of the table of kept problems


def render_page(directory: Path) -> str:
    """The whole report as one HTML document."""
    funnel, config = read_mapping(directory / files.FUNNEL), read_mapping(directory / files.CONFIG)
    environment = read_mapping(directory / files.ENVIRONMENT)
    kept = {split: read_rows(directory / f"{split}.jsonl", ProblemRow) for split in files.SPLITS}
    path = directory / files.CONFIG
    return render(
        f"Problems of {Path(str(config['source'])).name}" if config.get("source") else "Curated problems",
        [
            Section("summary", "Summary", [_summary(funnel, kept)]),
            Section("funnel", "Funnel", [_funnel_table(funnel)]),
            Section("kept", "Kept problems", _kept(kept)),
            environment_section(path.read_text("utf-8", errors="replace") if path.exists() else "", environment),
        ],
        {"conditions": []},
        name=directory.resolve().name,
        version=version_of(environment),
        finished=bool(funnel),
    )


def _summary(funnel: Mapping[str, Any], kept: Mapping[str, Sequence[ProblemRow]]) -> Summary:
    if not funnel:
        waits = "This curation is not finished: funnel.json is not written yet. Run the same command again."
        return Summary([("What came out", [waits])], [])
    sizes = [f"{len(rows):,} for {'training' if split == 'train' else split}" for split, rows in kept.items() if rows]
    out = f"{funnel['num_kept']:,} of {funnel['num_rows']:,} problems were kept" + (
        f": {listing(sizes)}." if sizes else "."
    )
    most = max(funnel["stages"], key=lambda stage: stage["num_in"] - stage["num_out"])
    dropped = f"The stage that drops most is {most['name']}: {most['meaning']}."
    if most["num_in"] == most["num_out"]:
        dropped = "No stage dropped anything."
    stopped = {"found_enough": "It stopped when enough were found.", "source_exhausted": "The source came to its end."}
    ended = stopped.get(str(funnel.get("stopped")), "It was interrupted before its end.")
    return Summary([("What was looked through", [ended]), ("What came out", [out])], [("Keep in mind", [dropped])])


def _funnel_table(funnel: Mapping[str, Any]) -> Table | None:
    rows: list[list[Cell | str]] = []
    for stage in funnel.get("stages", []):
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in stage.get("dropped", {}).items() if reason)
        said = "not asked for" if stage.get("skipped") else reasons
        share = stage["num_out"] / funnel["num_rows"] if funnel["num_rows"] else 0.0
        rows.append(
            [stage["name"], Cell(f"{stage['num_out']:,}", share=share), f"{stage['num_in']:,}", said, stage["meaning"]]
        )
    columns = [Column("Stage", code=True), Column("Passed", num=True), Column("Came", num=True)]
    columns += [Column("Dropped", wrap=True), Column("What passes", wrap=True)]
    return Table("Problems by stage", columns, rows, "Bars: of all rows.") if rows else None


def _kept(kept: Mapping[str, Sequence[ProblemRow]]) -> list[Table | Fold]:
    """Solve rates of the kept problems by split, and the problems."""
    problems = [(split, row) for split, rows in kept.items() for row in rows]
    if not problems:
        return []
    rates = {rate for _, row in problems if (rate := _rate(row)) is not None}
    counts = Counter((split, _rate(row)) for split, row in problems)
    number_at = {rate: sum(counts[split, rate] for split in kept) for rate in rates}
    spread = [
        [
            f"{percent(rate)} %",
            *(str(counts[split, rate]) for split in kept),
            Cell(str(number_at[rate]), share=number_at[rate] / len(problems)),
        ]
        for rate in sorted(rates)
    ]
    columns = [Column("Right samples"), *(Column(split, num=True) for split in kept), Column("All", num=True)]
    aside = "How often the solver solved the problems that were kept; bars: of all of them."
    rows = [
        [
            str(row.id),
            split,
            MISSING if (rate := _rate(row)) is None else f"{percent(rate)} %",
            str(row.answer),
            shortened(row.problem),
        ]
        for split, row in problems[:MAX_PROBLEMS]
    ]
    heads = [
        Column("Problem"),
        Column("Split"),
        Column("Right samples", num=True),
        Column("Answer", wrap=True),
        Column("Text", wrap=True),
    ]
    left = len(problems) - len(rows)
    each = Table(
        "Each problem", heads, rows, f"The first {len(rows):,}; {left:,} more are in the files." if left else ""
    )
    return [*([Table("By solve rate", columns, spread, aside)] if spread else []), Fold("Each problem", [each])]


def _rate(row: ProblemRow) -> float | None:
    found = row.meta.get("curation")
    rate = found.get("correct_rate") if isinstance(found, dict) else None
    return float(rate) if isinstance(rate, int | float) else None
