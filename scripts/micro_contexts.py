"""The study behind docs/contexts.md and the table of README: contexts, divergences and GRPO in the micro world.

    python -m scripts.micro_contexts --output_dir runs/contexts

It runs `stepalign compare` for each part and writes summary.json. Started again, it goes on where it was. All of it
takes about four hours of one core; `--only reverse_kl` runs one part, `--jobs` several trainings at a time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stepalign.core.files import write_json, write_text
from stepalign.feedback.conditions import CONTROLS
from stepalign.maths.intervals import bootstrap_interval, paired_bootstrap
from stepalign.runs.evaluations import EvaluationRow
from stepalign.runs.files import EVALUATIONS, seed_directory
from stepalign.runs.row import read_rows

METRIC, SAMPLES = "avg@12", "peers"
OF_REFERENCE = ("refsol", "hint", "shifted", "other")  # what the reference's wording can change
LADDER = (
    *("stepalign", "refsol", "other", "random_step", "none", "whole_attempt", "correction"),
    *("answer", "hint", "shifted", "peer"),
)
CROSS = ("stepalign", "refsol", "other", "random_step")
PARTS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {  # conditions and settings of each comparison
    "reverse_kl": (LADDER, ("--divergence", "reverse_kl")),
    "grpo_rollouts": (("grpo",), ("--grpo_equal", "rollouts")),
    "forward_kl": (CROSS, ("--divergence", "forward_kl")),
    "jsd": (CROSS, ("--divergence", "jsd")),
    "foreign_0": (OF_REFERENCE, ("--divergence", "reverse_kl", "--micro_foreign", "0")),
    "grpo_prompts": (("grpo",), ("--grpo_equal", "prompts")),
}
Values = list[list[float]]  # (problems, seeds)


def main() -> None:
    """Run what is left and summarize what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS), help="parts to run")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--more", nargs=argparse.REMAINDER, default=[], help="flags for every comparison, last")
    asked = parser.parse_args()
    for name in asked.only:
        run_part(asked.output_dir, name, asked.seeds, asked.jobs, asked.more)
    summary = summarize(asked.output_dir, asked.seeds)
    write_json(asked.output_dir / "summary.json", summary)
    write_text(asked.output_dir / "tables.md", tables(summary))


def run_part(directory: Path, name: str, seeds: Sequence[int], jobs: int, more: Sequence[str]) -> None:
    """One comparison; the samples that peers come from are drawn before."""
    conditions, settings = PARTS[name]
    own = list(settings)
    if "peer" in conditions:
        own += ["--peer_samples", str(sample_peers(directory))]
    command = ["compare", "--output_dir", directory / name, "--conditions", *conditions, "--save_steps", 35]
    stepalign(*command, "--seeds", *seeds, "--jobs", jobs, *own, *more)


def sample_peers(directory: Path) -> Path:
    """Sixteen graded responses of the untrained solver to each training problem."""
    samples = directory / SAMPLES / "samples.jsonl"
    if not samples.exists():
        stepalign("micro", "--output_dir", directory / SAMPLES / "problems")
        problems = directory / SAMPLES / "problems" / "train.jsonl"
        stepalign(
            "evaluate", "--model", "micro", "--problems", problems, "--num_samples", 16, "--output_dir", samples.parent
        )
    return samples


def stepalign(*words: object) -> None:
    """A command of the package; ends this program where it fails."""
    if code := subprocess.call([sys.executable, "-m", "stepalign", *map(str, words)]):
        sys.exit(code)


def summarize(directory: Path, seeds: Sequence[int]) -> dict[str, object]:
    """Per part and condition the test values of each checkpoint, and the differences from controls at the last."""
    summary: dict[str, object] = {"metric": METRIC, "seeds": list(seeds)}
    last: dict[tuple[str, str], Values] = {}
    for part, (conditions, _) in PARTS.items():
        rows: dict[str, object] = {}
        for condition in conditions:
            found = [
                read_rows(seed_directory(directory / part, condition, s) / EVALUATIONS, EvaluationRow) for s in seeds
            ]
            if not all(found):
                continue
            last[part, condition] = _values([of_seed[-1] for of_seed in found])
            rows[condition] = {"checkpoints": [_row(list(of_step)) for of_step in zip(*found, strict=True)]}
        summary[part] = rows
    summary["differences"] = [
        {"part": part, "condition": condition, "minus": f"{other}, {minus}", **_difference(values, last[other, minus])}
        for (part, condition), values in last.items()
        for other, minus in _subtracted(part, condition)
        if (other, minus) in last
    ]
    return summary


def tables(summary: Mapping[str, Any]) -> str:
    """The summary as Markdown: of each part a row a condition, then the differences at the last checkpoint."""
    lines: list[str] = []
    for part in PARTS:
        rows = sorted(summary[part].items(), key=lambda item: -item[1]["checkpoints"][-1]["value"])
        if not rows:
            continue
        steps = [row["step"] for row in rows[0][1]["checkpoints"]]
        heads = [*(f"after {step} steps" for step in steps), "seeds", "pass@12", "seen", "distinct", "KL", "tokens"]
        lines += [f"\n### {part}\n", f"| context | {' | '.join(heads)} |", "|" + "---|" * (1 + len(heads))]
        for condition, entry in rows:
            last = entry["checkpoints"][-1]
            values = [f"{100 * row['value']:.1f} ({_range(row['ci95'])})" for row in entry["checkpoints"]]
            seeds = ", ".join(f"{100 * value:.1f}" for value in last["by_seed"])
            rest = [f"{100 * last['pass@12']:.0f}", f"{100 * last['seen']:.0f}", f"{last['num_distinct_answers']:.1f}"]
            rest += [f"{last['kl_to_base']:.3f}", f"{last['num_generated_tokens'] / 1000:.0f} k"]
            lines.append(f"| {' | '.join([f'`{condition}`', *values, seeds, *rest])} |")
    lines += [
        "\n### differences at the last checkpoint\n",
        "| part | condition | minus | points |",
        "|---|---|---|---|",
    ]
    for row in summary["differences"]:
        cells = [row["part"], f"`{row['condition']}`", row["minus"]]
        lines.append(f"| {' | '.join(cells)} | {100 * row['value']:+.1f} ({_range(row['ci95'], '+')}) |")
    return "\n".join(lines).strip() + "\n"


def _range(bounds: Sequence[float], sign: str = "") -> str:
    return f"{100 * bounds[0]:{sign}.1f} to {100 * bounds[1]:{sign}.1f}"


def _subtracted(part: str, condition: str) -> list[tuple[str, str]]:
    """What a condition is compared with: the controls and refsol of its part; where a part lacks one, reverse_kl's."""
    names = [name for name in (*CONTROLS, "refsol") if name != condition]
    return [(part if name in PARTS[part][0] else "reverse_kl", name) for name in names]


def _values(rows: Sequence[EvaluationRow]) -> Values:
    return [list(of_problem) for of_problem in zip(*(row.values["test"][METRIC] for row in rows), strict=True)]


def _row(rows: Sequence[EvaluationRow]) -> dict[str, object]:
    """Seeds at one step."""
    values = _values(rows)
    interval = bootstrap_interval(values)
    means: dict[str, object] = {
        name: float(np.mean([row.test[name] for row in rows if row.test.get(name) is not None]))
        for name in ("pass@12", "maj@12", "num_distinct_answers", "kl_to_base", "mean_length", "truncated_rate")
    }
    return {
        "step": rows[0].step,
        "num_generated_tokens": float(np.mean([row.num_generated_tokens or 0 for row in rows])),
        "value": interval.estimate,
        "ci95": [interval.low, interval.high],
        "by_seed": [row.test[METRIC] for row in rows],
        "seen": float(np.mean([row.seen[METRIC] for row in rows])),
        **means,
    }


def _difference(first: Values, second: Values) -> dict[str, object]:
    found = paired_bootstrap(first, second)
    return {"value": found.estimate, "ci95": [found.low, found.high]}


if __name__ == "__main__":
    main()
