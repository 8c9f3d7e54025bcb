"""`stepalign grade`: responses that were sampled elsewhere, graded against the true answers.

stepalign grade --problems problems.jsonl --samples samples.jsonl --output_dir graded
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from stepalign.cli.words import asks_for_help, report_hint
from stepalign.runs.files import GRADES, SAMPLES, USED_PROBLEMS
from stepalign.settings.command_groups import GradeSettings
from stepalign.settings.commands import GRADE
from stepalign.settings.given import read_given


def run(argv: Sequence[str]) -> None:
    """Grade all samples, write the two files, print one line."""
    if asks_for_help(GRADE, argv):
        return
    settings = read_given(GRADE, argv).make(GradeSettings)
    from tqdm import tqdm

    from stepalign.core.errors import ConfigError
    from stepalign.core.files import write_json, write_jsonl
    from stepalign.data.problems import load_problems
    from stepalign.data.samples import parse_samples, read_rows
    from stepalign.data.values import plain
    from stepalign.grading import Grader

    directory, samples = Path(settings.output_dir), Path(settings.samples)
    output = directory / SAMPLES
    if output.resolve() == samples.resolve():
        raise ConfigError(f"{samples} would be overwritten by the graded samples. Choose another --output_dir.")
    problems = load_problems(settings.problems, settings.columns)
    rows = read_rows(samples)
    rollouts = parse_samples(rows, problems)
    directory.mkdir(parents=True, exist_ok=True)
    with Grader(
        timeout_s=settings.timeout_s,
        memory_limit_mb=settings.memory_limit_mb,
        num_workers=settings.num_workers,
        patterns=settings.answer_patterns,
    ) as grader:
        pairs = [(rollout.text, rollout.problem.answer) for rollout in rollouts]
        grades = list(tqdm(grader.grade_all(pairs), total=len(pairs), desc="grading", unit="sample"))
    graded = [
        {**plain(row.values), "grade": g.outcome.value, "extracted": g.extracted}
        for row, g in zip(rows, grades, strict=True)
    ]
    summary = summarize(grade.outcome for grade in grades)
    write_jsonl(output, graded)
    write_json(directory / GRADES, summary)
    used = {rollout.problem.id: rollout.problem for rollout in rollouts}
    write_jsonl(directory / USED_PROBLEMS, (problem.to_json() for problem in used.values()))
    print(f"{len(grades)} samples: {_rates(summary)}. See {directory}.")
    print(report_hint(directory))


def summarize(outcomes: Iterable[str]) -> dict[str, object]:
    """Counts and rates of each outcome; the rates add up to 1."""
    from stepalign.core.rollout import Outcome

    counts = Counter(outcomes)
    total = counts.total()
    return {
        "num_samples": total,
        **{f"{outcome.value}_rate": counts[outcome] / total for outcome in Outcome},
        "counts": {outcome.value: counts[outcome] for outcome in Outcome},
    }


def _rates(summary: dict[str, object]) -> str:
    rates = {key.removesuffix("_rate"): rate for key, rate in summary.items() if isinstance(rate, float)}
    return ", ".join(f"{100 * rate:.1f} % {name}" for name, rate in rates.items())
