"""The output directories of the commands, with made-up numbers, for the tests of their reports.

write("evaluate", tmp_path / "evaluated")
write("critique", tmp_path / "critiqued", text="<script>")      # every text of a model or a file is that
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from stepalign.core.files import write_json, write_jsonl, write_text
from stepalign.core.token_classes import token_classes
from stepalign.signal.localization_measures import Collected, Known
from stepalign.signal.trial import judge_rows

from .comparison.synthetic_run import WARNINGS, write_probes, write_run

TRACE = "<step_1>2 + 2 = 4</step_1><step_2>4 + 1 = 6</step_2><answer>6</answer>"
CONTEXT = "<step_1>2 + 2 = 4</step_1><step_2>4 + 1 = 5</step_2><answer>5</answer>"
GRADES = ("correct", "wrong", "unparseable", "timeout")
REPLY = '<think>Step 2.</think>{"case": "D", "keep_steps": 1, "new_steps": ["4 + 1 = 5"], "answer": "5"}'
STEPS = [{"text": "2 + 2 = 4", "origin": "copied"}, {"text": "4 + 1 = 5", "origin": "rewritten"}]


def write(command: str, directory: Path, text: str | None = None) -> Path:
    """The directory of a command, finished."""
    WRITERS[command](directory, text)
    return directory


def sample(problem: int, number: int, text: str | None, grade: str | None = None) -> dict[str, Any]:
    row = {"problem_id": text or f"p{problem}", "sample": number, "text": text or TRACE, "num_tokens": 30}
    row |= {"finish_reason": "length" if number == 3 else "stop"}
    return row | ({"grade": grade, "extracted": text or "6"} if grade else {})


def samples(text: str | None) -> list[dict[str, Any]]:
    """Four samples of each of three problems: 0, 2 and 4 of them are right."""
    right = {0: 0, 1: 2, 2: 4}
    return [
        sample(p, n, text, "correct" if n < right[p] else ("wrong", "unparseable")[n % 2])
        for p in right
        for n in range(4)
    ]


def problems(text: str | None, **meta: Any) -> list[dict[str, Any]]:
    row = {"problem": text or "2 + 2 + 1?", "answer": text or "5", **({"meta": meta} if meta else {})}
    return [{"id": text or f"p{number}", **row} for number in range(1 if text else 3)]


def train(directory: Path, text: str | None) -> None:
    run = write_run(directory.with_name(f"{directory.name}-of"), num_rollouts=64)
    shutil.copytree(run / "conditions/stepalign/seed_0", directory)
    shutil.copy(run / "environment.json", directory / "environment.json")
    probed = write_probes(directory, text or "stepalign")
    write_jsonl(directory / "problems.used.jsonl", problems(text))
    write_jsonl(directory / "warnings.jsonl", [row | ({"message": text} if text else {}) for row in WARNINGS])
    if text:
        critique = {"case": text, "first_wrong_step": 1, "steps": [{"origin": text}], "source": text}
        critique |= {"judgement": text, "reply": text}
        row = {"step": 1, **sample(0, 0, text, text), "context": text, "context_status": text, "critique": critique}
        other = {**row, "sample": 1, "critique": {**critique, "steps": [{"origin": "copied"}]}}
        write_jsonl(directory / "rollouts.jsonl", [row, other])
        hostile = probed | {"problem_id": text, "text": text, "tokens": [text] * len(probed["tokens"])}
        prompts = {"student_prompt_ids": [], "teacher_prompt_ids": []}
        write_jsonl(directory / "probes/rollouts.jsonl", [hostile | prompts])
        write_json(directory / "prompts.json", {"student": text, "teacher": text})
        write_jsonl(directory / "metrics.jsonl", [{"step": 1, text: 0.5, "wall_s": 1.0}])
        write_text(directory / "config.yaml", yaml.safe_dump({"condition": "refsol", "run_note": text}))


def evaluate(directory: Path, text: str | None) -> None:
    settings = {"command": "evaluate", "model": text or "micro", "problems": text or "test.jsonl", "temperature": 1.1}
    write_json(directory / "evaluation.json", settings | {"seed": 0})
    accuracies = {"pass@4": 0.66, "maj@4": 0.5, "avg@4": 0.5}
    ci95 = {name: [0.25, 0.75] for name in accuracies}
    rates = {"mean_length": 30.0, "unparseable_rate": 0.25, "timeout_rate": 0.0, "truncated_rate": 0.25}
    write_json(directory / "metrics.json", {"num_problems": 3, "num_samples": 4, **accuracies, **rates, "ci95": ci95})
    write_jsonl(directory / "samples.jsonl", samples(text))
    write_jsonl(directory / "problems.used.jsonl", problems(text))


def grade(directory: Path, text: str | None) -> None:
    write_json(directory / "grades.json", {"num_samples": 12})
    write_jsonl(directory / "samples.jsonl", samples(text))
    write_jsonl(directory / "problems.used.jsonl", problems(text))


def critique(directory: Path, text: str | None) -> None:
    made = {"case": text or "D", "first_wrong_step": 2, "steps": STEPS, "answer": text or "5", "text": text or CONTEXT}
    made |= {"judgement": text or "4 + 1 is 5.", "reply": text or REPLY}
    none = {
        "reply": text or "No idea.",
        "case": None,
        "first_wrong_step": None,
        "steps": [],
        "answer": None,
        "text": None,
    }
    rows = [
        {"problem_id": "p0", "sample": 0, "status": "verified", **made},
        {"problem_id": "p0", "sample": 1, "status": "skipped", "reason": text or "wrong_answer", **none},
        {"problem_id": "p1", "sample": 0, "status": "verified", **made, "case": "A", "first_wrong_step": None},
    ]
    write_jsonl(directory / "critiques.jsonl", [row | ({"problem_id": text} if text else {}) for row in rows])
    write_json(directory / "ledger.json", {"num_samples": 3, "num_rejected": {text or "wrong_answer": 1}})
    write_jsonl(directory / "samples.used.jsonl", [sample(0, 0, text), sample(0, 1, text), sample(1, 0, text)])
    write_jsonl(directory / "problems.used.jsonl", problems(text))


def measured(grade: str) -> dict[str, Any]:
    """A rollout's part under one format."""
    where = {"aim": 0.9, "auroc": 0.6, "negative_mass_share": 0.5, "mean_correct": 0.1, "mean_wrong": -0.2}
    where |= {"pushed_down_rate": 0.0, "first_token": 0.0}
    alignment = {"overall": 1.0, "quotes_wrong_step": False}
    part = {"status": "ok", "num_context_tokens": 40, "has_answer": True, "alignment": alignment, "localization": where}
    return part | {"teacher_grade": grade, "teacher_is_correct": grade == "correct", "teacher_num_tokens": 31}


def preflight(directory: Path, text: str | None) -> None:
    names = ["refsol", text] if text else ["refsol", "stepalign"]
    rows = [row | {"is_correct": False, "first_wrong_step": 2, "case": "D"} for row in samples(text)[:8]]
    for i, row in enumerate(rows):
        row["formats"] = {name: measured("correct" if i % 4 else "wrong") for name in names}
    result = {"is_micro": True, "num_problems": 2, **judge_rows(rows, names, {name: {} for name in names})}
    write_json(directory / "preflight.json", {**result, "rows": rows})
    write_json(directory / "settings.json", {"model_name_or_path": text or "micro", "conditions": names})
    write_jsonl(directory / "problems.jsonl", problems(text))
    write_jsonl(directory / "rollouts.jsonl", samples(text)[:8])
    where = [{"problem_id": row["problem_id"], "sample": row["sample"]} for row in samples(text)[:8]]
    write_jsonl(
        directory / "contexts.jsonl", [{"format": n, **at, "context": text or CONTEXT} for n in names for at in where]
    )
    made = {
        "case": text or "D",
        "first_wrong_step": 2,
        "steps": STEPS,
        "answer": "5",
        "verified": True,
        "source": "exact",
    }
    write_jsonl(directory / "critiques.jsonl", [{**at, "critique": made} for at in where])
    write_json(directory / "ledger.json", {"num_samples": 8})


def localize(directory: Path, text: str | None) -> None:
    name = text or "p0"
    label = {"id": name, "problem": text or "2 + 2 + 1?", "answer": "5", "steps": ["2 + 2 = 4", "4 + 1 = 6"]}
    label |= {"first_wrong_step": 2, "reason": text or "4 + 1 is 5.", **({"response": text} if text else {})}
    formats = ["refsol", text or "stepalign"]
    tokens = ["2 + 2", " = 4", "\n", "4 + 1", " = 6"]
    steps, values = [1, 1, None, 2, 2], [0.5, 0.25, 0.0, 0.25, -4.0]
    where = {"problem_id": name, "sample": 0}
    right = {**label, "id": "p1", "steps": ["2 + 2 + 1 = 5"], "first_wrong_step": None}
    write_jsonl(directory / "labels.used.jsonl", [label] if text else [label, right])
    write_jsonl(directory / "tokens.jsonl", [{**where, "tokens": [text or t for t in tokens], "token_steps": steps}])
    write_jsonl(directory / "contexts.jsonl", [{"format": n, **where, "context": text or CONTEXT} for n in formats])
    scored = [{"format": n, **where, "status": "ok", "num_context_tokens": 9, "advantage": values} for n in formats]
    write_jsonl(directory / "scores.jsonl", scored)
    collected = Collected()
    collected.add(0, values, Known(steps, token_classes(tokens), 2))
    conditions = {
        n: {"num_without_context": 1, "num_too_long": 1, "lacks": text or "a solution", **collected.summary()}
        for n in formats
    }
    counts = {"num_rollouts": 1, "num_wrong": 1, "num_wrong_at_first_step": 0, "num_right": 0}
    result = {"model": text or "micro", "critiques": text or "by critic exact", **counts, "conditions": conditions}
    write_json(directory / "localization.json", result)
    write_json(directory / "localize.json", {"model": text or "micro", "conditions": formats})
    took = {"wall_s": 61.0, "cpu_s": 60.0, "num_sequences": 3, "num_tokens": 300}
    write_json(directory / "timing.json", took)
    shown = {"kind": text or "wrong_step", **where, "step": None, "case": None, "first_wrong_step": 2, "text": "t"}
    shown |= {"tokens": tokens, "token_steps": steps, "contexts": {n: {"advantage": values} for n in formats}}
    write_json(directory / "signal.json", {"conditions": formats, "rollouts": [shown]})
    write_json(directory / "environment.json", {"packages": {"stepalign": "0.1.0"}})


def curate(directory: Path, text: str | None) -> None:
    dropped = {text or "too_hard": 6}
    stages = [
        {"name": "well_formed", "num_in": 9, "num_out": 9, "meaning": "can be read"},
        {"name": "solve_rate", "num_in": 9, "num_out": 3, "meaning": "not too hard", "dropped": dropped},
        {"name": "critic_solves", "num_in": 3, "num_out": 3, "meaning": "the critic solves it", "skipped": True},
    ]
    write_json(directory / "funnel.json", {"num_rows": 9, "num_kept": 3, "stopped": "found_enough", "stages": stages})
    kept = problems(text, curation={"correct_rate": 0.25, "num_samples": 16})
    for split, rows in zip(("train", "validation", "test"), (kept[:1], kept[1:2], kept[2:]), strict=True):
        write_jsonl(directory / f"{split}.jsonl", rows)
    write_text(directory / "config.yaml", yaml.safe_dump({"source": text or "gsm8k"}))
    write_json(directory / "environment.json", {"packages": {"stepalign": "0.1.0"}, **({text: text} if text else {})})


WRITERS: dict[str, Callable[[Path, str | None], None]] = {
    "train": train,
    "evaluate": evaluate,
    "grade": grade,
    "critique": critique,
    "preflight": preflight,
    "localize": localize,
    "curate": curate,
}
