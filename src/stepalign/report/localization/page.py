"""The report of a localization: the table, its parts by place of the error, length and kind of token, and rollouts."""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stepalign.core.files import stream_jsonl
from stepalign.report.localization.measures import MEANINGS, MEASURES, mean, notes
from stepalign.report.numbers import MISSING, duration
from stepalign.report.page.sections import (
    Bar,
    Bars,
    Cell,
    Chart,
    Column,
    Fold,
    Section,
    Signal,
    Summary,
    Table,
    Words,
    render,
)
from stepalign.report.records import critics_section, environment_section, settings_table, version_of
from stepalign.report.rollouts import Scored, Shown, Side, browser_data, pack_rollouts
from stepalign.report.settings import flatten
from stepalign.report.token_classes import CLASSES
from stepalign.runs import files
from stepalign.runs.row import read_list, read_mapping
from stepalign.runs.rows import LedgerRow, ProblemRow, RolloutRow, SignalRow

Key = tuple[str, int]
CHOSEN = (
    "In the order of the labels: the first rollout whose second step is the first wrong one, the first with the third, "
    "with a later one, and with none; under every context, on one scale."
)
NO_SIGNAL = "No rollout has been scored yet."
PARTS = {
    "correct": "Mean A_t on the tokens of correct steps, by their kind",
    "wrong": "Mean A_t on the tokens of the first wrong step, by their kind",
}


def render_page(directory: Path) -> str:
    """The whole report as one HTML document."""
    result, settings = (read_mapping(directory / name) for name in (files.LOCALIZATION, files.LOCALIZE_SETTINGS))
    environment = read_mapping(directory / files.ENVIRONMENT)
    names = list(result.get("conditions") or settings.get("conditions") or [])
    labels = list(stream_jsonl(directory / files.USED_LABELS))
    signal = read_mapping(directory / files.SIGNAL).get("rollouts", [])
    archive = pack_rollouts(_rollouts(directory, labels, names))
    ledger = LedgerRow.read(str(directory / files.LEDGER), read_mapping(directory / files.LEDGER))
    config = json.dumps(settings, indent=2, ensure_ascii=False)
    return render(
        f"Where contexts act, on {len(labels):,} labelled rollouts",
        [
            Section("summary", "Summary", [_summary(result, settings, len(labels), _timing(directory))]),
            Section("measures", "What was measured", _tables(result), short="Measures"),
            Section("parts", "By place, length and kind of token", _parts(result), short="Parts"),
            Section("signal", "Token by token", [Signal(CHOSEN) if signal else Words([NO_SIGNAL])], short="Tokens"),
            Section("rollouts", "Rollouts", [archive.browser("labelled rollouts", "There are no rollouts.")]),
            critics_section({"this localization": ledger}),
            Section("settings", "Settings", [settings_table("All settings", flatten(settings))] if settings else []),
            environment_section(config, environment, files.LOCALIZE_SETTINGS),
        ],
        {
            "conditions": [],
            "signal": [row.to_json() for row in read_list(str(directory / files.SIGNAL), signal, SignalRow)],
            **browser_data(
                [ProblemRow(id=row["id"], problem=row["problem"], answer=row.get("answer", "")) for row in labels],
                columns=("problem_id", "first_wrong_step", "num_steps"),
                filters=("first_wrong_step", "num_steps"),
                labels={"first_wrong_step": "First wrong step", "num_steps": "Steps"},
            ),
        },
        name=directory.resolve().name,
        version=version_of(environment),
        finished=bool(result),
        chunks=archive.chunks,
        packed=archive.packed(),
    )


def _summary(result: Mapping[str, Any], settings: Mapping[str, Any], num_labels: int, took: str) -> Summary:
    tried = f"{num_labels:,} rollouts with a human label of the first wrong step, under {settings.get('model')}."
    if not result:
        waits = "This localization is not finished: localization.json is not written yet. Run the same command again."
        return Summary([("What was scored", [tried]), ("What came out", [waits])], [])
    wrong, right = result["num_wrong"], result["num_right"]
    tried += f" {wrong:,} have a wrong step, {right:,} have none." + took
    lines = [_sentence(name, of) for name, of in result["conditions"].items()]
    left = [("What came out", lines), ("What was scored", [tried])]
    return Summary(left, [("Keep in mind", notes(result))], [_best(result["conditions"])], _picture(result))


def _picture(result: Mapping[str, Any]) -> Bars | None:
    """Where each context's signal falls."""
    parts = {"mean_correct": "correct steps", "mean_wrong": "first wrong step"}
    groups = [
        (name, [_bar(of[key], label) for key, label in parts.items()]) for name, of in result["conditions"].items()
    ]
    told = [("", [_bar(of["auroc_step"], name) for name, of in result["conditions"].items()])]
    charts = [
        Chart("Where the signal falls: mean A_t", "nats", groups, signal=True),
        Chart("AUROC of the first wrong step", "chance 0.5", told),
    ]
    shown = [chart for chart in charts if not chart.is_empty]
    return Bars(shown, "With 95 % intervals over rollouts.") if shown else None


def _bar(entry: Mapping[str, Any], label: str) -> Bar:
    return Bar(label, entry["value"], entry["ci95"])


def _best(conditions: Mapping[str, Mapping[str, Any]]) -> str:
    """Which context tells the wrong step from the correct ones before it best."""
    found = {name: of["auroc_step"] for name, of in conditions.items() if of["auroc_step"]["value"] is not None}
    if not found:
        return "No context could be located: no rollout has a wrong step after a correct one."
    best = max(found, key=lambda name: found[name]["value"])
    return f"{best} tells the wrong step from the correct ones before it best: AUROC {mean(found[best])}; chance 0.50."


def _sentence(name: str, of: Mapping[str, Any]) -> str:
    if of["mean_wrong"]["value"] is None:
        return f"{name}: nothing to compare."
    correct, wrong = (mean(of[key], "+") for key in ("mean_correct", "mean_wrong"))
    return f"{name}: {correct} nats on correct steps, {wrong} on the first wrong one."


def _timing(directory: Path) -> str:
    """What scoring took, in words; empty where it is not known."""
    found = read_mapping(directory / files.TIMING)
    if not found:
        return ""
    spent = f"{duration(found['wall_s'])}, {duration(found['cpu_s'])} of processor time"
    return f" Scoring took {spent}, for {found['num_sequences']:,.0f} sequences of {found['num_tokens']:,.0f} tokens."


def _tables(result: Mapping[str, Any]) -> list[Table]:
    if not result:
        return []
    rows = [[name, *(write(of) for write in MEASURES.values())] for name, of in result["conditions"].items()]
    columns = [Column("Context"), *(Column(name, num=True) for name in MEASURES)]
    aside = "A_t in nats. In brackets: 95 % interval over rollouts."
    meanings = Table(
        "How to read it", [Column("Measure"), Column("Meaning", wrap=True)], [*map(list, MEANINGS.items())]
    )
    return [Table("Each context", columns, rows, aside), meanings]


def _parts(result: Mapping[str, Any]) -> list[Table | Fold | Bars]:
    """Tables of groups of rollouts, and of kinds of tokens."""
    conditions: Mapping[str, Mapping[str, Any]] = result.get("conditions", {})
    groups = {"by_place": "first wrong step", "by_num_steps": "number of steps"}
    folds = [Fold(f"By {title}", [_by_group(conditions, key, title)]) for key, title in groups.items() if conditions]
    classes = [_by_class(conditions, part, title) for part, title in PARTS.items() if conditions]
    return [_class_charts(conditions), *folds, *classes] if conditions else []


def _class_charts(conditions: Mapping[str, Mapping[str, Any]]) -> Bars:
    """A chart for each part of a rollout: contexts as groups, kinds of tokens as bars."""
    charts = [
        Chart(
            title,
            "nats",
            [
                (name, [_bar(of["token_classes"][kind][part], words) for kind, words in CLASSES.items()])
                for name, of in conditions.items()
            ],
            signal=True,
        )
        for part, title in PARTS.items()
    ]
    return Bars([chart for chart in charts if not chart.is_empty], "Means over rollouts, with 95 % intervals.")


def _by_group(conditions: Mapping[str, Mapping[str, Any]], key: str, title: str) -> Table:
    shown = {name: write for name, write in MEASURES.items() if name != "rollouts"}
    rows: list[Sequence[Cell | str]] = []
    for name, of in conditions.items():
        for group, summary in of[key].items():
            counts = [summary[measure]["num_rollouts"] for measure in ("mean_correct", "mean_wrong")]
            rows.append([name, group, str(max(counts)), *(write(summary) for write in shown.values())])
    columns = [Column("Context"), Column(title.capitalize()), Column("rollouts", num=True)]
    return Table(f"Each context, by {title}", [*columns, *(Column(name, num=True) for name in shown)], rows)


def _by_class(conditions: Mapping[str, Mapping[str, Any]], part: str, title: str) -> Table:
    rows = [
        [name, *(mean(of["token_classes"][kind][part], "+") for kind in CLASSES)] for name, of in conditions.items()
    ]
    aside = "Mean over rollouts of each rollout's mean; a rollout without such a token is left out."
    return Table(title, [Column("Context"), *(Column(words, num=True) for words in CLASSES.values())], rows, aside)


def _rollouts(directory: Path, labels: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[Shown]:
    contexts: dict[tuple[str, str], str | None] = {
        (row["format"], row["problem_id"]): row["context"] for row in stream_jsonl(directory / files.CONTEXTS)
    }
    tokens = {row["problem_id"]: row for row in stream_jsonl(directory / files.TOKENS)}
    scores: dict[str, dict[str, array[float]]] = {}
    for row in stream_jsonl(directory / files.SCORES):
        if row["status"] == "ok" and row["format"] in names:
            scores.setdefault(row["problem_id"], {})[row["format"]] = array("d", row["advantage"])
    shown: list[Shown] = []
    for label in labels:
        name, wrong = label["id"], label["first_wrong_step"]
        of = tokens.get(name)
        text = label.get("response") or "".join(of["tokens"] if of else ()) or "\n".join(label["steps"])
        sides = [Side(f"Context: {format}", contexts.get((format, name)), "No context.") for format in names]
        facts = [("Annotator", label["reason"])] if label.get("reason") else []
        facts.append(("First wrong step", MISSING if wrong is None else str(wrong)))
        marks = {"first_wrong_step": wrong, "num_steps": len(label["steps"])}
        by_format = {format: [scores[name][format]] for format in names if format in scores.get(name, {})}
        scored = Scored(of["tokens"], of["token_steps"], wrong, by_format) if of and by_format else None
        shown.append(Shown(RolloutRow(problem_id=name, sample=0, text=text), marks, sides, facts, scored=scored))
    return shown
