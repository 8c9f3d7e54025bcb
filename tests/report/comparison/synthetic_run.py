"""A run directory as `stepalign compare` leaves it, with made-up but plausible numbers, for the tests of the report.

write_run(tmp_path / "run", seeds=("0", "1"), num_rollouts=64)
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import yaml

from stepalign.core.files import read_jsonl, write_json, write_jsonl, write_text

STEPS = tuple(range(10, 71, 10))
AVG = {
    "grpo": (0.21, 0.42, 0.61, 0.66, 0.68, 0.70, 0.70),
    "refsol": (0.09, 0.11, 0.18, 0.24, 0.27, 0.26, 0.24),
    "stepalign": (0.12, 0.21, 0.30, 0.41, 0.40, 0.36, 0.35),
}
TOKENS_A_STEP = {"grpo": 41_000, "refsol": 5_200, "stepalign": 5_400}
OTHER = {"refsol": "grab the total and tack on", "stepalign": "take"}


def metrics(avg: float, problems: int = 60, length: float = 160.0) -> dict[str, Any]:
    """Metrics around one avg@12, with intervals of a width that 60 problems give."""
    values = {"pass@12": min(1.0, avg * 1.8 + 0.1), "maj@12": min(1.0, avg * 1.25), "avg@12": avg}
    return {
        "num_problems": problems,
        "num_samples": 12,
        **values,
        "mean_length": length,
        "unparseable_rate": 0.02,
        "timeout_rate": 0.0,
        "truncated_rate": 0.04,
        "ci95": {key: [max(0.0, value - 0.07), min(1.0, value + 0.07)] for key, value in values.items()},
    }


def trace(rng: random.Random, wrong: int | None = None) -> tuple[list[str], str]:
    """Steps of chained arithmetic and the final answer; `wrong` (from 1) is off by ten."""
    total = rng.randint(20, 90)
    steps: list[str] = []
    for number in range(1, 6):
        addend = rng.randint(11, 89)
        result = total + addend - (10 if number == wrong else 0)
        steps.append(f"take {total} and add {addend} : ones {total % 10} + {addend % 10} , so {result}")
        total = result
    return steps, str(total)


def render(steps: list[str], answer: str) -> str:
    return "\n".join([*(f"<step_{i}>{s}</step_{i}>" for i, s in enumerate(steps, 1)), f"<answer>{answer}</answer>"])


def rollout(rng: random.Random, condition: str, number: int, problems: int) -> dict[str, Any]:
    wrong = rng.choice((None, 1, 2, 3, 4, 5))
    steps, answer = trace(rng, wrong)
    text = render(steps, answer)
    row: dict[str, Any] = {
        "step": 1 + number // 32,
        "problem_id": f"train-{number % problems}",
        "sample": 0,
        "text": text,
        "num_tokens": len(text) // 3,
        "finish_reason": rng.choice(("stop", "stop", "stop", "length")),
        "grade": "correct" if wrong is None else rng.choice(("wrong", "wrong", "unparseable", "timeout")),
        "extracted": answer,
        "context": None,
        "context_status": "not_used",
    }
    if condition == "refsol":
        row |= {"context": text.replace("take", OTHER["refsol"]), "context_status": "ok"}
    if condition == "stepalign":
        kept = (wrong or 6) - 1
        fixed = [{"text": s, "origin": "copied" if i < kept else "rewritten"} for i, s in enumerate(steps)]
        row |= {"context": text, "context_status": "ok"}
        row["critique"] = {
            "case": "D" if wrong else "A",
            "first_wrong_step": wrong,
            "steps": fixed,
            "verified": True,
            "source": "exact",
        }
    return row


def probe(rng: random.Random, kind: str) -> dict[str, Any]:
    """One rollout for `signal.json`, with a step-aligned and a reference context."""
    wrong = {"correct": None, "wrong_step": 3, "wrong_approach": 1}[kind]
    steps, answer = trace(rng, wrong)
    tokens: list[str] = []
    token_steps: list[int | None] = []
    for number, step in enumerate(steps, 1):
        words = [f"<step_{number}>", *(f" {word}" for word in step.split()), f"</step_{number}>", "\n"]
        tokens += words
        token_steps += [None, *[number] * (len(words) - 3), None, None]
    aligned = [rng.gauss(0.3, 0.25) if wrong is None or (s or 0) < wrong else rng.gauss(-0.4, 0.9) for s in token_steps]
    if wrong:
        aligned[max(i for i, step in enumerate(token_steps) if step == wrong)] = -6.4
    return {
        "kind": kind,
        "problem_id": "train-3",
        "sample": 0,
        "step": 1,
        "text": render(steps, answer),
        "tokens": tokens,
        "token_steps": token_steps,
        "first_wrong_step": wrong,
        "contexts": {
            "stepalign": {"advantage": aligned},
            "refsol": {"advantage": [rng.gauss(-1.8, 1.4) for _ in tokens]},
        },
    }


def write_run(
    path: Path, *, seeds: tuple[str, ...] = ("0",), num_rollouts: int = 128, steps: tuple[int, ...] = STEPS
) -> Path:
    """Write a whole run; `num_rollouts` for each condition and seed."""
    rng = random.Random(7)
    settings = {"model": "micro", "learning_rate": 1e-4, "temperature": 1.1, "max_new_tokens": 400, "num_samples": 12}
    config = settings | {"conditions": list(AVG), "seeds": [int(seed) for seed in seeds], "max_steps": STEPS[-1]}
    write_text(path / "config.yaml", yaml.safe_dump(config, sort_keys=False))
    write_json(path / "environment.json", {"stepalign": "0.1.0", "torch": "2.9.0", "device": "cpu", "num_threads": 2})
    problems = {"train": 282, "validation": 30, "test": 60}
    for split, number in problems.items():
        write_jsonl(path / "problems" / f"{split}.jsonl", [problem(split, i) for i in range(number)])
    results: dict[str, Any] = {"base": metrics(0.08), "base_validation": metrics(0.09, 30), "conditions": {}}
    for condition in AVG:
        results["conditions"][condition] = {"seeds": {}}
        for offset, seed in enumerate(seeds):
            directory = path / "conditions" / condition / f"seed_{seed}"
            checkpoints = [checkpoint(condition, i, step, 0.01 * offset) for i, step in enumerate(steps)]
            results["conditions"][condition]["seeds"][seed] = outcome(checkpoints)
            batch = 8 if condition == "grpo" else 1
            own = settings | {"condition": condition, "seed": int(seed), "num_generations": batch}
            write_text(directory / "config.yaml", yaml.safe_dump(own))
            write_jsonl(directory / "evaluations.jsonl", checkpoints)
            write_jsonl(directory / "metrics.jsonl", [logged(rng, condition, step) for step in range(1, steps[-1] + 1)])
            write_jsonl(directory / "rollouts.jsonl", [rollout(rng, condition, i, 282) for i in range(num_rollouts)])
            teacher = None if condition == "grpo" else "<|im_start|>user\nStart with 47.\n\nA solution:\n<step_1>…"
            write_json(directory / "prompts.json", {"student": "<|im_start|>user\nStart with 47.", "teacher": teacher})
            if condition == "stepalign":
                write_json(directory / "ledger.json", LEDGER)
    kinds = ("correct", "wrong_step", "wrong_approach")
    write_json(
        path / "signal.json", {"conditions": ["refsol", "stepalign"], "rollouts": [probe(rng, k) for k in kinds]}
    )
    results["paired"] = {
        "stepalign - refsol": {key: {"difference": 0.17, "ci95": [0.09, 0.25]} for key in ("pass@12", "avg@12")}
    }
    write_json(path / "results.json", results)
    return path


def difference(condition: str, minus: str, value: float) -> dict[str, Any]:
    """A row of `differences` in avg@12."""
    row = {"condition": condition, "minus": minus, "metric": "avg@12", "value": value, "is_control": minus != "refsol"}
    return row | {"ci95": [value - 0.08, value + 0.08]}


def write_probes(directory: Path, context: str, steps: tuple[int, ...] = (0, 10, 20), count: int = 1) -> dict[str, Any]:
    """Probe the first wrong rollouts of a condition and seed whose first step is right; returns the first of them."""
    rows = [r for r in read_jsonl(directory / "rollouts.jsonl") if "<step_2>" in r["text"] and r["grade"] == "wrong"]
    probed = [_probed(row) for row in rows[:count]]
    prompts = {"student_prompt_ids": [], "teacher_prompt_ids": []}
    write_jsonl(directory / "probes/rollouts.jsonl", [row | prompts for row in probed])
    at = [
        {
            **{"step": step, "probe": probe, "problem_id": row["problem_id"], "context": context},
            **{"mean_advantage": 0.0, "mean_correct": 0.5, "mean_wrong": -3.0 + step / 10},
            "advantage": [0.5 if n != 2 else -3.0 + step / 10 for n in row["token_steps"]],
        }
        for step in steps
        for probe, row in enumerate(probed)
    ]
    write_jsonl(directory / "probes.jsonl", at)
    return probed[0]


def _probed(row: dict[str, Any]) -> dict[str, Any]:
    """A rollout as it is probed, with its tokens and their steps."""
    tokens = re.findall(r"<[^>]+>|\n|[^<\s]+\s?", row["text"])
    numbers = [int(match.group(1)) if (match := re.match(r"<step_(\d)", token)) else None for token in tokens]
    inside = [max([n for n in numbers[: i + 1] if n] or [0]) for i in range(len(tokens))]
    of = [n if token[0] not in "<\n" else None for n, token in zip(inside, tokens, strict=True)]
    kept = {key: row[key] for key in ("problem_id", "sample", "text", "step")}
    return kept | {"tokens": tokens, "token_steps": of, "first_wrong_step": 2, "token_ids": [0] * len(tokens)}


LEDGER = {
    "num_samples": 2240,
    "num_requests": 2240,
    "num_cached": 0,
    "num_retries": 3,
    "num_verified": 2234,
    "num_rejected": {"wrong_answer": 4, "leak": 2},
    "tokens_in": 812_331,
    "tokens_out": 301_402,
    "wall_s": 81.5,
}


WARNINGS = [
    {"step": 12, "metric": "entropy", "value": 0.04, "start": 0.8, "message": "entropy is 0.04. It hardly varies."},
    {"step": 15, "metric": "completions/mean_length", "value": 9.0, "start": 160.0, "message": "Very short <now>."},
]


def problem(split: str, number: int) -> dict[str, Any]:
    return {"id": f"{split}-{number}", "problem": f"Start with {40 + number}. Add 38. Times 6.", "answer": "510"}


def checkpoint(condition: str, number: int, step: int, shift: float) -> dict[str, Any]:
    avg = AVG[condition][number] + shift
    return {
        "step": step,
        "num_rollouts": step * (256 if condition == "grpo" else 32),
        "num_generated_tokens": step * TOKENS_A_STEP[condition],
        "wall_s": step * (14.0 if condition == "grpo" else 6.5),
        "validation": metrics(avg + 0.02, 30, 150 + step),
        "test": metrics(avg, 60, 150 + step),
    }


def outcome(checkpoints: list[dict[str, Any]]) -> dict[str, Any]:
    selected = max(checkpoints, key=lambda row: row["validation"]["avg@12"])
    keys = ("pass@12", "maj@12", "avg@12")
    tops = {key: max(checkpoints, key=lambda row: row["test"][key]) for key in keys}
    return {
        "checkpoints": checkpoints,
        "best": {key: {"step": row["step"], "value": row["test"][key]} for key, row in tops.items()},
        "selected": {"step": selected["step"], "test": selected["test"]},
    }


def logged(rng: random.Random, condition: str, step: int) -> dict[str, Any]:
    return {
        "step": step,
        "loss": 0.8 / step**0.4 + rng.gauss(0, 0.02),
        "num_rollouts": step * 32,
        "num_generated_tokens": step * TOKENS_A_STEP[condition],
        "wall_s": step * 6.0,
        "entropy": 0.9 - 0.004 * step,
        "completions/mean_length": 150.0 + step,
        "feedback/skipped_rate": 0.01,
    }
