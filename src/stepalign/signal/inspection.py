"""Inspections of several cases, and what each leaves in its directory.

>>> for result in inspect_cases([case]):
...     [path.name for path in write_inspection(result, directory)]
['advantage.json', 'inspect.html']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stepalign.core.files import write_json
from stepalign.models.loading import LoadedModel, best_device, load_model
from stepalign.report.inspection.page import write_page
from stepalign.report.palette import Palette
from stepalign.runs.files import ADVANTAGE, INSPECTED, INSPECTION
from stepalign.runs.row import append_rows
from stepalign.runs.rows import SignalRow
from stepalign.settings.models import resolve_with_adapter
from stepalign.signal.case import Case
from stepalign.signal.inspect import inspect_response


def inspect_cases(cases: Sequence[Case], dtype: str | None = None, num_alternatives: int = 5) -> list[dict[str, Any]]:
    """The result of each case; a model that several share is loaded once."""
    dtype = dtype or ("float32" if best_device().type == "cpu" else "auto")
    loaded: dict[tuple[str | None, ...], LoadedModel] = {}
    results: list[dict[str, Any]] = []
    for case in cases:
        key = case.model, case.adapter, case.prompt_templates
        if key not in loaded:
            loaded.clear()
            names, family = resolve_with_adapter(case.model, case.adapter), case.prompt_templates
            loaded[key] = load_model(*names, dtype=dtype, prompt_templates=family)
        results.append(inspect_response(case, loaded[key].model, loaded[key].tokenizer, num_alternatives))
    return results


def write_inspection(
    result: Mapping[str, Any], directory: Path, figure: Path | None = None, palette: Palette = "safe"
) -> list[Path]:
    """Write `advantage.json`, `inspect.html` and perhaps the figures; returns what was written."""
    written = [directory / ADVANTAGE, directory / INSPECTION]
    write_json(written[0], result)
    write_page(result, written[1], palette)
    if figure is not None:
        from stepalign.report.figures import advantage_figures  # matplotlib takes a second

        written += advantage_figures(result, figure, palette)
    return written


def keep_in_run(result: Mapping[str, Any], directory: Path) -> None:
    """Leave A_t of a run's rollout in the run, for its report; of a rollout that is inspected again the last counts."""
    rollout: Mapping[str, Any] = result["rollout"]
    critique: Mapping[str, Any] = result["critique"] or {}
    kept = {key: result[key] for key in ("first_wrong_step", "tokens", "token_steps")}
    contexts = {name: {"advantage": context["advantage"]} for name, context in result["contexts"].items()}
    place = {"problem_id": rollout["problem_id"], "sample": rollout["sample"], "step": rollout.get("step")}
    row = SignalRow(
        kind="inspected", **place, case=critique.get("case"), text=result["response"], **kept, contexts=contexts
    )
    append_rows(directory / INSPECTED, row)
