"""Critiques as the datasets that other trainers of privileged contexts read.

    trl        prompt (messages), privileged_context: trl.experimental SDFTTrainer, and SDPOTrainer with
               include_environment_feedback
    ms-swift   messages, teacher_prompt: on-policy self-distillation of ms-swift 4
    verl       data_source, prompt (messages), ability, reward_model, extra_info: verl's RLHFDataset; the context stands
               in extra_info
    jsonl      everything, flat

>>> row = export_row("trl", rollout, critique)
>>> list(row), row["privileged_context"] == critique.text
(['prompt', 'privileged_context'], True)

These trainers sample anew: what they are given speaks of an attempt that is not the one they train on. A critique of
the very rollout that is trained on is what `stepalign train` makes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from stepalign.core.critique import Context, Critique
from stepalign.core.errors import ConfigError
from stepalign.core.files import write_jsonl
from stepalign.core.prompts import render_prompt
from stepalign.core.rollout import Rollout
from stepalign.feedback.critics.critic import CritiqueRecord

ExportFormat = Literal["trl", "ms-swift", "verl", "jsonl"]
Row = dict[str, Any]


def export_row(format: ExportFormat, rollout: Rollout, critique: Critique, prompt_templates: str = "steps") -> Row:
    """One rollout's prompts and context in the columns of a trainer."""
    return ROWS[format](rollout, critique, prompt_templates)


def export_critiques(
    path: Path, format: ExportFormat, rollouts: Sequence[Rollout], records: Sequence[CritiqueRecord]
) -> int:
    """Write a row for each verified critique, in order, and say how many there are.

    Args:
        path: ends in .jsonl or .parquet.
    Raises:
        ConfigError: it ends in something else.
    """
    check_export(path)
    pairs = zip(rollouts, records, strict=True)
    rows = [
        export_row(format, rollout, record.critique)
        for rollout, record in pairs
        if record.status == "verified" and record.critique is not None
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        write_jsonl(path, rows)
    else:
        from datasets import Dataset

        Dataset.from_list(rows).to_parquet(path)
    return len(rows)


def check_export(path: Path) -> None:
    """Raises ConfigError where a file's kind is not known by its name."""
    if path.suffix not in (".jsonl", ".parquet"):
        raise ConfigError(f"export_file: got '{path}'; expected a name that ends in .jsonl or .parquet.")


def _messages(rollout: Rollout, templates: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": render_prompt(templates, "student", problem=rollout.problem)}]


def _teacher_prompt(rollout: Rollout, critique: Critique, templates: str) -> str:
    return render_prompt(templates, "teacher", problem=rollout.problem, context=Context(critique.text, critique))


def _trl(rollout: Rollout, critique: Critique, templates: str) -> Row:
    return {"prompt": _messages(rollout, templates), "privileged_context": critique.text}


def _ms_swift(rollout: Rollout, critique: Critique, templates: str) -> Row:
    teacher = _teacher_prompt(rollout, critique, templates)
    return {"messages": _messages(rollout, templates), "teacher_prompt": teacher}


def _verl(rollout: Rollout, critique: Critique, templates: str) -> Row:
    extra = {"index": rollout.sample, "id": rollout.problem.id, "response": rollout.text, "context": critique.text}
    return {
        "data_source": "stepalign",
        "prompt": _messages(rollout, templates),
        "ability": "reasoning",
        "reward_model": {"style": "rule", "ground_truth": rollout.problem.answer},
        "extra_info": {**extra, "teacher_prompt": _teacher_prompt(rollout, critique, templates)},
    }


def _jsonl(rollout: Rollout, critique: Critique, templates: str) -> Row:
    problem = rollout.problem
    judged = {"case": critique.case, "first_wrong_step": critique.first_wrong_step, "context": critique.text}
    prompts = {"teacher_prompt": _teacher_prompt(rollout, critique, templates)}
    row = {"id": problem.id, "sample": rollout.sample, "problem": problem.problem, "answer": problem.answer}
    return {**row, "response": rollout.text, **judged, **prompts}


ROWS: dict[ExportFormat, Callable[[Rollout, Critique, str], Row]] = {
    "trl": _trl,
    "ms-swift": _ms_swift,
    "verl": _verl,
    "jsonl": _jsonl,
}
