"""Build the page: tables and texts by Jinja (escaped), data for the charts as JSON, its own scripts.

>>> render_page(run).count("</html>")
1
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stepalign.report import numbers
from stepalign.report.comparison.curves import curves
from stepalign.report.comparison.rollouts import pack_rollouts
from stepalign.report.comparison.settings import compare_settings, in_words
from stepalign.report.comparison.summary import summarize
from stepalign.report.comparison.tables import ledger_table, result_tables, warnings_table
from stepalign.report.page.document import build_page
from stepalign.report.page.text import clean
from stepalign.runs.evaluations import charted, metric_of
from stepalign.runs.reading import Run

PAGE = Path(__file__).parent / "page"
SCRIPTS = ("curves.js", "signal.js", "rollouts.js")


def render_page(run: Run) -> str:
    """The whole report as one HTML document."""
    archive = pack_rollouts(run)
    data: dict[str, Any] = {
        "conditions": run.conditions,
        "accuracy": list(run.keys),
        "rates": charted(),
        "metrics": {key: m._asdict() for key in (*run.keys, *charted()) if (m := metric_of(key))},
        "curves": curves(run),
        "signal": [row.to_json() for row in run.signal or ()],
        "problems": {str(row.id): [row.problem, row.get("answer")] for rows in run.problems.values() for row in rows},
    }
    content = clean(_content(run, archive.num_total, len(archive.index["condition"])))
    return build_page(
        PAGE,
        "report.html.jinja",
        scripts=SCRIPTS,
        content=content | {"chunks": archive.chunks},
        data=clean(data) | {"rollouts": archive.index, "chunk_size": archive.chunk_size},
    )


def _content(run: Run, num_rollouts: int, num_kept: int) -> dict[str, Any]:
    """What the template shows as text and tables."""
    settings = compare_settings(run)
    versions = run.environment.get("packages")
    versions = versions if isinstance(versions, dict) else run.environment
    return {
        "name": run.directory.resolve().name,
        "conditions": numbers.listing(run.conditions) or "no condition",
        "version": versions.get("stepalign") or "",
        "summary": summarize(run)._asdict(),
        "finished": not run.missing,
        "tables": result_tables(run),
        "warnings": warnings_table(run),
        "num_signal": None if run.signal is None else len(run.signal),
        "ledger": ledger_table(run),
        "settings": settings._asdict(),
        "same_in_words": in_words(settings),
        "condition_names": run.conditions,
        "prompts": [_prompts(seed.condition, seed.prompts) for seed in _first_seeds(run) if seed.prompts],
        "config": run.config_text,
        "environment": json.dumps(clean(run.environment), indent=2, ensure_ascii=False) if run.environment else "",
        "num_rollouts": num_rollouts,
        "num_kept": num_kept,
    }


def _first_seeds(run: Run) -> list[Any]:
    return [run.seeds_of(condition)[0] for condition in run.conditions]


def _prompts(condition: str, prompts: dict[str, Any]) -> dict[str, Any]:
    return {"condition": condition, "student": prompts.get("student"), "teacher": prompts.get("teacher")}
