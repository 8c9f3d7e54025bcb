"""Build the page: tables and texts by Jinja (escaped), data for the charts as JSON, its own style sheet and script.

The page carries a content security policy with the hashes of its own style and script, so nothing else can run in it
and nothing can be fetched, whatever the model wrote.

    html = render_page(load_run(path))
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stepalign.study.report import figures
from stepalign.study.report.curves import curves
from stepalign.study.report.loading import Run
from stepalign.study.report.metrics import RATES
from stepalign.study.report.rollouts import pack_rollouts
from stepalign.study.report.settings import compare_settings, in_words
from stepalign.study.report.summary import summarize
from stepalign.study.report.tables import ledger_table, result_tables
from stepalign.study.report.text import clean, script_json

PAGE = Path(__file__).parent / "page"
SCRIPTS = ("dom.js", "curves.js", "signal.js", "rollouts.js")


def render_page(run: Run) -> str:
    """The whole report as one HTML document."""
    environment = Environment(
        loader=FileSystemLoader(PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    archive = pack_rollouts(run)
    style = (PAGE / "report.css").read_text("utf-8")
    script = '"use strict";\n(() => {\n' + "\n".join((PAGE / name).read_text("utf-8") for name in SCRIPTS) + "})();\n"
    signal = [{"condition": s.condition, "seed": s.seed, "rollouts": s.signal} for s in run.seed_runs if s.signal]
    data: dict[str, Any] = {
        "conditions": run.conditions,
        "accuracy": list(run.keys),
        "rates": list(RATES),
        "curves": curves(run),
        "signal": signal,
        "problems": {
            str(row["id"]): [row["problem"], row.get("answer")] for rows in run.problems.values() for row in rows
        },
    }
    content = clean(_content(run, archive.num_total, len(archive.index["condition"])))
    return environment.get_template("report.html.jinja").render(
        **content,
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data=script_json(clean(data) | {"rollouts": archive.index, "chunk_size": archive.chunk_size}),
        chunks=archive.chunks,
        has_signal=bool(signal),
    )


def _content(run: Run, num_rollouts: int, num_kept: int) -> dict[str, Any]:
    """What the template shows as text and tables."""
    settings = compare_settings(run)
    versions = run.environment.get("packages")
    versions = versions if isinstance(versions, dict) else run.environment
    return {
        "name": run.directory.resolve().name,
        "conditions": figures.listing(run.conditions) or "no condition",
        "version": versions.get("stepalign") or "",
        "summary": summarize(run)._asdict(),
        "finished": not run.missing,
        "tables": result_tables(run),
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


def _hash(text: str) -> str:
    """A content security policy source for an inline element with this text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
