"""The table of docs/gpu.md, from the JSON that came back: the card's name stands beside every figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.report import table

from stepalign.core.errors import DataError
from stepalign.core.files import read_json, write_text

START, END = "<!-- figures: sh scripts/gpu_day.sh report -->", "<!-- end of figures -->"
COLUMNS = ("part", "what", "figure", "against", "ratio", "card")
ORDER = ("tests", "kernel", "gpu_step", "train_step", "study")
Cells = tuple[str, str, str, str]  # what, figure, against, ratio
PACKAGES = ("torch", "transformers", "trl", "peft")


def write_table(directories: Iterable[Path], page: Path) -> str:
    """Put the table between the markers of the page; returns it.

    Raises:
        SystemExit: no record of a full-size part is there, or the page lacks the markers.
    """
    records = read_records(directories)
    if not records:
        raise SystemExit("no JSON of a part is there; expected what `sh scripts/gpu_day.sh run` left in $OUT.")
    before, start, rest = page.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise SystemExit(f"{page} lacks the lines '{START}' and '{END}'; expected both.")
    text = to_markdown(records)
    write_text(page, f"{before}{START}\n\n{text}\n\n{END}{after}")
    return text


def read_records(directories: Iterable[Path]) -> list[dict[str, Any]]:
    """The newest record of each part and card, in the order of the parts; those of tiny sizes are left out."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for path in sorted(p for directory in directories for name in ORDER for p in directory.rglob(f"{name}.json")):
        try:
            record = read_json(path)
        except DataError as error:
            raise SystemExit(str(error)) from None
        if not isinstance(record, dict) or record.get("part") not in ORDER or record["is_tiny"]:
            continue
        key = record["part"], record["card"]
        newest[key] = max(newest.get(key, record), record, key=lambda found: found["date"])
    return [newest[key] for key in sorted(newest, key=lambda key: (ORDER.index(key[0]), key[1]))]


def to_markdown(records: Iterable[Mapping[str, Any]]) -> str:
    """The table, what was not measured, and with which versions all of it was."""
    records = list(records)
    rows = [(r["part"], *cells, r["card"]) for r in records for cells in rows_of(r)]
    lines = [table(COLUMNS, rows)] if rows else []
    lost = [
        f"- {r['part']}, {name}, {r['card']}: ended with exit code {step['exit_code']} after {step['seconds']} s."
        for r in records
        for name, step in r["steps"].items()
        if step["exit_code"]
    ]
    lines += ["", "Not or not wholly measured:", "", *lost] if lost else []
    return "\n".join([*lines, "", *dict.fromkeys(map(_with_what, records))]).strip()


def rows_of(record: Mapping[str, Any]) -> list[Cells]:
    """The rows of one part."""
    make = {"tests": _of_tests, "gpu_step": _of_gpu_step, "study": _of_study}.get(record["part"], _of_benchmarks)
    results = {name: step["result"] for name, step in record["steps"].items() if step["result"]}
    return [cells for name, result in results.items() for cells in make(name, result)]


def _of_tests(name: str, result: Mapping[str, int]) -> Iterator[Cells]:
    failed, skipped = result["failures"] + result["errors"], result["skipped"]
    passed = result["tests"] - failed - skipped
    yield "tests that need a GPU", f"{passed} pass, {failed} fail, {skipped} skipped", "", ""


def _of_benchmarks(name: str, result: Mapping[str, Any]) -> Iterator[Cells]:
    for row in result["cases"]:
        subject, baseline = (_amount(row[f"{side}_value"], row["metric"]) for side in ("subject", "baseline"))
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        what = f"`{row['name']}`, {row['metric'].replace('_', ' ')}"
        yield what, f"{row['subject']}: {subject}", f"{row['baseline']}: {baseline}", ratio
    for failure in result["failures"]:
        yield f"`{failure['name']}`", "not measured", failure["reason"].replace("|", "/").replace("\n", " "), ""


def _of_gpu_step(name: str, result: Mapping[str, Any]) -> Iterator[Cells]:
    summary = result["summary"]
    for stage, row in (*summary["stages"].items(), ("the step", summary["step"])):
        shown: dict[str, Callable[[float], str]] = {
            "tokens_per_s": lambda value: f"{value:,.0f} tokens/s",
            "tflops": lambda value: f"{value:.3g} TFLOP/s",
            "peak_memory_gb": lambda value: f"peak {value:.1f} GB",
        }
        figures = [form(row[key]) for key, form in shown.items() if row.get(key)]
        share = f"{row['share_of_peak']:.1%} of the card's peak" if row["share_of_peak"] else ""
        yield f"{name.replace('_', ' ')}: {stage}", ", ".join([f"{row['seconds']:.3g} s", *figures]), share, ""


def _of_study(name: str, result: Mapping[str, Any]) -> Iterator[Cells]:
    """Each condition's mean at the selected checkpoints beside the untrained model's; then the differences."""
    for condition, found in result["conditions"].items():
        for metric in (key for key in found["selected_mean"] if key.startswith("avg@")):
            mean, untrained = found["selected_mean"][metric], result["base"].get(metric)
            before = "" if untrained is None else f"untrained: {100 * untrained:.1f}"
            what = f"`{condition}`, {metric}, {len(found['seeds'])} seeds"
            yield what, _points(mean["value"], mean["ci95"]), before, ""
    for row in result["differences"]:
        if row["metric"].startswith("avg@"):
            kind = "control" if row["is_control"] else ""
            yield f"`{row['condition']}` minus `{row['minus']}`", _points(row["value"], row["ci95"], "+"), kind, ""


def _points(share: float, bounds: list[float] | None, sign: str = "") -> str:
    """A share as points of 100, with its interval."""
    between = " to ".join(f"{100 * bound:{sign}.1f}" for bound in bounds or ())
    return f"{100 * share:{sign}.1f}" + (f" ({between})" if between else "")


def _amount(value: float, metric: str) -> str:
    return f"{value:.3g} s" if metric == "time" else f"{value / 1e9:.2f} GB"


def _with_what(record: Mapping[str, Any]) -> str:
    environment = record["environment"]
    found = environment["packages"]
    packages = ", ".join(f"{name} {found[name]}" for name in PACKAGES if found.get(name))
    return f"{record['card']}: Python {environment['python']}, {packages}."
