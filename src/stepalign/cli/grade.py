"""`stepalign grade`: responses that were sampled elsewhere, graded against the true answers.

stepalign grade --problems problems.jsonl --samples samples.jsonl --output_dir graded
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

DESCRIPTION = """\
Grade sampled responses by mathematical equality with the true answers.

Writes OUTPUT_DIR/samples.jsonl, the input rows with "grade" (correct, wrong, unparseable or timeout) and "extracted"
(the answer that was found), and OUTPUT_DIR/grades.json, the counts and rates."""

EXAMPLE = """\
problems.jsonl:  {"id": "p1", "problem": "What is 2 + 2?", "answer": "4"}
samples.jsonl:   {"problem_id": "p1", "sample": 0, "text": "2 + 2 = 4, so \\\\boxed{4}"}

example:
  stepalign grade --problems problems.jsonl --samples samples.jsonl --output_dir graded"""


def add_parser(subparsers: Any) -> None:
    """Declare the command's arguments."""
    from stepalign.grading.answers import ANSWER_PATTERNS

    parser: argparse.ArgumentParser = subparsers.add_parser(
        "grade", description=DESCRIPTION, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--problems", type=Path, required=True, metavar="FILE", help="JSONL of problems: id, problem, answer")
    add("--samples", type=Path, required=True, metavar="FILE", help="JSONL of responses: problem_id, sample, text")
    add("--output_dir", type=Path, required=True, metavar="DIR", help="where the results go; made if missing")
    add("--timeout_s", type=float, default=5.0, metavar="S", help="seconds one comparison may take (default: 5)")
    add("--memory_limit_mb", type=int, default=1024, metavar="MB", help="memory of one worker (default: 1024)")
    add("--num_workers", type=int, default=1, metavar="N", help="worker processes (default: 1)")
    add(
        "--answer_patterns",
        nargs="+",
        metavar="PATTERN",
        help=f"where an answer may stand, of: {', '.join(ANSWER_PATTERNS)} (default: all); the last one counts",
    )


def run(args: argparse.Namespace) -> None:
    """Grade all samples, write the two files, print one line."""
    from tqdm import tqdm

    from stepalign.core.errors import ConfigError
    from stepalign.core.files import write_json, write_jsonl
    from stepalign.data.jsonl import read_rows
    from stepalign.data.problems import load_problems
    from stepalign.data.samples import parse_samples
    from stepalign.grading import Grader

    output = args.output_dir / "samples.jsonl"
    if output.resolve() == args.samples.resolve():
        raise ConfigError(f"{args.samples} would be overwritten by the graded samples. Choose another --output_dir.")
    problems = load_problems(args.problems)
    rows = read_rows(args.samples)
    rollouts = parse_samples(rows, problems)
    args.output_dir.mkdir(parents=True, exist_ok=True)
    with Grader(
        timeout_s=args.timeout_s,
        memory_limit_mb=args.memory_limit_mb,
        num_workers=args.num_workers,
        patterns=args.answer_patterns,
    ) as grader:
        pairs = [(rollout.text, rollout.problem.answer) for rollout in rollouts]
        grades = list(tqdm(grader.grade_all(pairs), total=len(pairs), desc="grading", unit="sample"))
    graded = [
        {**row.values, "grade": g.outcome.value, "extracted": g.extracted} for row, g in zip(rows, grades, strict=True)
    ]
    summary = summarize(grade.outcome for grade in grades)
    write_jsonl(output, graded)
    write_json(args.output_dir / "grades.json", summary)
    rates = ", ".join(f"{100 * summary[f'{name}_rate']:.1f} % {name}" for name in summary["counts"])
    print(f"{len(grades)} samples: {rates}. See {args.output_dir}.")


def summarize(outcomes: Iterable[str]) -> dict[str, Any]:
    """Counts and rates of each outcome; the rates add up to 1."""
    from stepalign.core.rollout import Outcome

    counts = Counter(outcomes)
    total = counts.total()
    return {
        "num_samples": total,
        **{f"{outcome.value}_rate": counts[outcome] / total for outcome in Outcome},
        "counts": {outcome.value: counts[outcome] for outcome in Outcome},
    }
