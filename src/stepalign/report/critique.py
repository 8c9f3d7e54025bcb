"""The report of `stepalign critique`: what became of the samples, what it took, and each critique beside its trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stepalign.core.files import stream_jsonl
from stepalign.report.numbers import MISSING, percent
from stepalign.report.page.sections import Cell, Column, Section, Summary, Table, render
from stepalign.report.records import audit_sentence, critics_section
from stepalign.report.rollouts import Shown, Side, browser_data, pack_rollouts
from stepalign.runs import files
from stepalign.runs.problems import used_problems
from stepalign.runs.row import read_mapping, read_rows
from stepalign.runs.rows import CritiqueResult, CritiqueRow, LedgerRow, RolloutRow

CASES = {
    "A": "A: everything is right",
    "B": "B: right answer, a justification is missing",
    "C": "C: the trace is unfinished",
    "D": "D: a step is wrong",
}
AUDIT = {
    "accuracy_wrong": "finds the first wrong step of wrong traces",
    "accuracy_right": "leaves right traces alone",
    "f1": "harmonic mean of the two",
    "answer_rate": "its correction reaches the answer, verified",
    "verbatim_share": "correct steps that stand unchanged",
    "too_early": "wrong traces: calls an earlier step wrong",
    "too_late": "wrong traces: calls a later step wrong",
    "none_found": "wrong traces: finds nothing wrong",
}
SPENT = {
    "num_requests": "requests",
    "tokens_in": "tokens in",
    "tokens_out": "tokens out",
    "cost": "cost",
    "wall_s": "s",
}
NOT_KEPT = "(The sample is not in the directory.)"


def render_page(directory: Path) -> str:
    """The whole report as one HTML document."""
    results = read_rows(directory / files.CRITIQUES, CritiqueResult)
    samples = {(row.problem_id, row.sample): row for row in read_rows(directory / files.USED_SAMPLES, RolloutRow)}
    ledger = LedgerRow.read(str(directory / files.LEDGER), read_mapping(directory / files.LEDGER))
    labelled = {row["id"]: row["first_wrong_step"] or "none" for row in stream_jsonl(directory / files.USED_LABELS)}
    audit = read_mapping(directory / files.AUDIT)
    archive = pack_rollouts([_shown(row, samples.get((row.problem_id, row.sample)), labelled) for row in results])
    marks = {"labelled": "Labelled first wrong step"} if labelled else {}
    return render(
        "Critiques",
        [
            Section("summary", "Summary", [_summary(results, bool(samples), audit_sentence(directory))]),
            Section("audit", "Audit", [_audit_table(audit)] if audit else []),
            Section("results", "What became of the samples", _tables(results), short="Results"),
            Section("critiques", "Critiques", [archive.browser("critiques", "There are no critiques yet.")]),
            critics_section({"this run": ledger}),
        ],
        {
            "conditions": [],
            **browser_data(
                used_problems(directory),
                columns=("problem_id", "sample", "status", "case"),
                filters=("status", "case", "reason", "first_wrong_step", *marks),
                labels={
                    **{"status": "Status", "reason": "Reason", "case": "Case", "first_wrong_step": "First wrong step"},
                    **marks,
                },
                noun="critiques",
            ),
        },
        name=directory.resolve().name,
        finished=(directory / files.LEDGER).exists(),
        chunks=archive.chunks,
        packed=archive.packed(),
    )


def audit_lines(found: Mapping[str, Any]) -> list[str]:
    """What `audit.json` says, a line a measure."""
    how = f", protocol {found['protocol']}, truth shown: {found['truth']}" if found["model"] else ""
    who = " ".join(filter(None, (found["critic"], found["model"])))
    opening = f"{who}{how}, on {found['num_rollouts']} labelled rollouts"
    lines = [f"  {words}: {_rate(found, name)}" for name, words in AUDIT.items() if found.get(name) is not None]
    if found["num_unreadable"]:
        lines.append(f"  replies that say nothing of where it goes wrong: {found['num_unreadable']}")
    if found["num_without_reply"]:
        lines.append(f"  left out, since the critic gave no reply: {found['num_without_reply']}")
    return [opening, *lines]


def _audit_table(found: Mapping[str, Any]) -> Table:
    opening, *_ = audit_lines(found)
    rows = [[words, _rate(found, name)] for name, words in AUDIT.items()]
    spent = found["spent"]
    rows += [[words, f"{spent[name]:,}"] for name, words in SPENT.items()]
    return Table(
        opening, [Column("Measure", wrap=True), Column("Value", num=True)], rows, "In brackets: 95 % intervals."
    )


def _rate(found: Mapping[str, Any], name: str) -> str:
    if found.get(name) is None:
        return MISSING
    low, high = found["ci95"][name]
    return f"{percent(found[name])} % [{percent(low)}, {percent(high)}]"


def _shown(result: CritiqueResult, sample: RolloutRow | None, labelled: Mapping[str, object]) -> Shown:
    row = sample or RolloutRow(problem_id=result.problem_id, sample=result.sample, text=NOT_KEPT)
    kept = {key: result.get(key) for key in ("case", "first_wrong_step", "steps", "answer", "judgement")}
    critique = CritiqueRow(**kept, verified=result.status == "verified") if result.case is not None else None
    labels = {"status": result.status, "reason": result.reason or None, "first_wrong_step": result.first_wrong_step}
    labels |= {"labelled": labelled[str(result.problem_id)]} if str(result.problem_id) in labelled else {}
    facts = [("Status", " ".join(filter(None, (str(result.status), result.reason and f"({result.reason})"))))]
    side = Side("Critique", result.text, f"No critique: {result.reason or 'none was made'}.")
    return Shown(row, labels, [side], facts, critique, reply=result.reply)


def _summary(results: Sequence[CritiqueResult], has_samples: bool, audited: str) -> Summary:
    total, verified = len(results), sum(row.status == "verified" for row in results)
    out = (
        f"{verified:,} of {total:,} samples have a verified critique: {percent(verified / total)} %."
        if total
        else "There are no critiques yet."
    )
    cautions = ["Verified: the critique's own answer is right, it leaks nothing, and copies what it says it copies."]
    cautions.append(audited)
    if not has_samples:
        cautions.append("The samples were not kept beside the critiques: run the command again to see each trace.")
    asked = f"{total:,} samples of {len({row.problem_id for row in results}):,} problems were given to the critic."
    return Summary([("What was asked", [asked]), ("What came back", [out])], [("Keep in mind", cautions)])


def _tables(results: Sequence[CritiqueResult]) -> list[Table]:
    made = [row for row in results if row.case is not None]
    counted = {
        "By status": (row.status for row in results),
        "By case": (CASES.get(str(row.case), str(row.case)) for row in made),
        "By first wrong step": (str(row.first_wrong_step or "none") for row in made),
        "Why not verified": (row.reason for row in results if row.reason),
    }
    tables = [_counts(title, values) for title, values in counted.items()]
    return [table for table in tables if table.rows]


def _counts(title: str, values: Iterable[str]) -> Table:
    counts = Counter(values)
    total = counts.total()
    rows = [
        [name, f"{number:,}", Cell(f"{percent(number / total)} %", share=number / total)]
        for name, number in counts.most_common()
    ]
    return Table(
        title,
        [Column(title.removeprefix("By ").capitalize()), Column("Critiques", num=True), Column("Share", num=True)],
        rows,
    )
