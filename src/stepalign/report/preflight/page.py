"""The report of a preflight: verdicts, what was measured of each format, and rollouts with every format's context."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stepalign.core.files import read_jsonl
from stepalign.report.evaluation import outcomes_table
from stepalign.report.inspection.measures import number, share
from stepalign.report.numbers import MISSING
from stepalign.report.page.sections import Column, Fold, Section, Summary, Table, Texts, render
from stepalign.report.preflight.measures import MEASURES, notes, verdicts
from stepalign.report.records import critics_section, settings_table
from stepalign.report.rollouts import Shown, Side, browser_data, pack_rollouts
from stepalign.report.settings import flatten
from stepalign.runs import files
from stepalign.runs.row import read_mapping, read_rows
from stepalign.runs.rows import CritiqueRow, LedgerRow, PreflightCritique, ProblemRow, RolloutRow

Key = tuple[str, int]


def render_page(directory: Path) -> str:
    """The whole report as one HTML document."""
    result, settings = read_mapping(directory / files.PREFLIGHT), read_mapping(directory / files.PREFLIGHT_SETTINGS)
    names = list(result.get("ranking") or settings.get("conditions") or [])
    problems, rows = (
        read_rows(directory / files.PROBLEMS, ProblemRow),
        read_rows(directory / files.ROLLOUTS, RolloutRow),
    )
    archive = pack_rollouts(_rollouts(directory, rows, result, names))
    ledger = LedgerRow.read(str(directory / files.LEDGER), read_mapping(directory / files.LEDGER))
    config = json.dumps(settings, indent=2, ensure_ascii=False)
    kept = Fold("settings.json", [Texts([("settings.json", config)])])
    return render(
        f"Preflight of {' and '.join(names) or 'no format'}",
        [
            Section("summary", "Summary", [_summary(result, settings, len(problems), len(rows))]),
            Section("measures", "What was measured", [_table(result, names), outcomes_table(rows)], short="Measures"),
            Section("rollouts", "Rollouts", [archive.browser("rollouts of the student", "There are no rollouts yet.")]),
            critics_section({"this preflight": ledger}),
            Section(
                "settings", "Settings", [settings_table("All settings", flatten(settings)), kept] if settings else []
            ),
        ],
        {
            "conditions": [],
            **browser_data(
                problems,
                columns=("problem_id", "sample", "grade", "case"),
                filters=("grade", "case", *map(_teacher, names)),
                labels={_teacher(name): f"Teacher, {name}" for name in names},
            ),
        },
        name=directory.resolve().name,
        finished=bool(result),
        chunks=archive.chunks,
        packed=archive.packed(),
    )


def _teacher(name: str) -> str:
    """The column of the index that says how the teacher did with a format's context."""
    return f"teacher {name}"


def _summary(result: Mapping[str, Any], settings: Mapping[str, Any], num_problems: int, num_rollouts: int) -> Summary:
    source = f"from {settings['samples']}" if settings.get("samples") else "of the model as it is"
    tried = f"{num_rollouts:,} rollouts {source}, on {num_problems:,} training problems."
    model = settings.get("model_name_or_path")
    tried += f" Model: {model}." if model else ""
    if not result:
        waits = "This preflight is not finished: preflight.json is not written yet. Run the same command again."
        return Summary([("What was tried", [tried]), ("What came out", [waits])], [])
    *lines, best = verdicts(result)
    return Summary(
        [("What was tried", [tried]), ("Verdicts", [best, *lines])], [("Keep in mind", notes(result) or ["Nothing."])]
    )


def _table(result: Mapping[str, Any], names: Sequence[str]) -> Table | None:
    formats = result.get("formats")
    if not formats:
        return None
    rows = [[measure.strip(), *(show(formats[name]) for name in names)] for measure, show in MEASURES.items()]
    aside = "In brackets: 95 % interval over problems. What the critic took is for one rollout."
    return Table(
        "Each format", [Column("Measure", wrap=True), *(Column(name, num=True) for name in names)], rows, aside
    )


def _rollouts(
    directory: Path, rows: Sequence[RolloutRow], result: Mapping[str, Any], names: Sequence[str]
) -> list[Shown]:
    contexts = {
        (row["format"], row["problem_id"], row["sample"]): row["context"]
        for row in read_jsonl(directory / "contexts.jsonl")
    }
    critiques: dict[Key, CritiqueRow | None] = {
        (row.problem_id, row.sample): row.critique for row in read_rows(directory / files.CRITIQUES, PreflightCritique)
    }
    measured = {(row["problem_id"], row["sample"]): row for row in result.get("rows", [])}
    shown: list[Shown] = []
    for row in rows:
        key = row.problem_id, row.sample
        parts = measured.get(key, {}).get("formats", {})
        sides = [Side(f"Context: {name}", contexts.get((name, *key)), "No context.") for name in names]
        labels = {_teacher(name): parts[name]["teacher_grade"] if name in parts else None for name in names}
        facts = [(name, _fact(parts[name])) for name in names if name in parts]
        shown.append(Shown(row, labels, sides, facts, critiques.get(key)))
    return shown


def _fact(part: Mapping[str, Any]) -> str:
    """What was measured of one rollout under one format's context."""
    if part["status"] != "ok":
        return {"none": "no context", "too_long": "too long for the prompt"}.get(
            str(part["status"]), str(part["status"])
        )
    where = part["localization"]
    measured = {
        "A_t on correct steps": (where["mean_correct"], number),
        "on the first wrong one": (where["mean_wrong"], number),
        "aim": (where["aim"], share),
    }
    teacher = f"teacher {part['teacher_grade'] or MISSING}, {part['teacher_num_tokens'] or 0} tokens"
    known = [f"{name} {write(value)}" for name, (value, write) in measured.items() if value is not None]
    return "; ".join([teacher, *known])
