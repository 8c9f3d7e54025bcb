"""`stepalign grade`: responses that were sampled elsewhere, graded against the true answers.

stepalign grade --problems problems.jsonl --samples samples.jsonl --output_dir graded
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stepalign.cli.words import asks_for_help, report_hint
from stepalign.runs.files import SAMPLES
from stepalign.settings.command_groups import GradeSettings
from stepalign.settings.commands import GRADE
from stepalign.settings.given import read_given


def run(argv: Sequence[str]) -> None:
    """Grade all samples, write the two files, print one line."""
    if asks_for_help(GRADE, argv):
        return
    settings = read_given(GRADE, argv).make(GradeSettings)
    from stepalign.core.errors import ConfigError
    from stepalign.data.logged import is_logged, named, parse_rollouts
    from stepalign.data.problems import load_problems
    from stepalign.data.samples import read_rows
    from stepalign.data.values import plain
    from stepalign.evaluation.graded import grade_samples, write_graded

    directory, samples = Path(settings.output_dir), Path(settings.samples)
    output = directory / SAMPLES
    if output.resolve() == samples.resolve():
        raise ConfigError(f"{samples} would be overwritten by the graded samples. Choose another --output_dir.")
    problems = None if settings.problems is None else load_problems(settings.problems, settings.columns)
    rows, format = named(read_rows(samples), settings.sample_columns), settings.rollouts_format
    rollouts = parse_rollouts(rows, problems, format)
    is_own = format is None and not is_logged(rows[0])
    directory.mkdir(parents=True, exist_ok=True)
    graded = grade_samples(rollouts, settings)
    write_graded(directory, graded, [plain(row.values) for row in rows] if is_own else None)
    print(f"{len(rollouts)} samples: {_rates(graded.summary)}. See {directory}.")
    print(report_hint(directory))


def _rates(summary: dict[str, Any]) -> str:
    rates = {key.removesuffix("_rate"): rate for key, rate in summary.items() if key.endswith("_rate")}
    return ", ".join(f"{100 * rate:.1f} % {name}" for name, rate in rates.items())
