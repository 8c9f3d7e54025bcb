"""`stepalign evaluate`: sample a model on problems and measure pass@k, maj@k and avg@k."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stepalign.cli.words import asks_for_help, report_hint
from stepalign.runs.files import SAMPLES
from stepalign.settings.commands import EVALUATE
from stepalign.settings.given import read_given


def run(argv: Sequence[str]) -> None:
    """Entry of the command: `argv` is what follows `evaluate`."""
    if asks_for_help(EVALUATE, argv):
        return
    given = read_given(EVALUATE, argv)
    from stepalign.cli.quiet import quieten
    from stepalign.evaluation.model import evaluate_model
    from stepalign.runs.evaluations import EvaluationMetrics, accuracy_keys
    from stepalign.runs.row import read_rows
    from stepalign.runs.rows import RolloutRow, unparseable_tails
    from stepalign.settings.evaluation import resolve_evaluation

    quieten()
    asked = resolve_evaluation(given)
    metrics = evaluate_model(asked)
    for name in accuracy_keys([EvaluationMetrics(**metrics)]):
        low, high = metrics["ci95"][name]
        print(f"{name}: {100 * metrics[name]:.1f} [{100 * low:.1f}, {100 * high:.1f}]")
    print(f"of {len(asked.problems)} x {metrics['num_samples']} responses: {EvaluationMetrics(**metrics).unanswered}")
    samples = read_rows(Path(asked.settings.output_dir) / SAMPLES, RolloutRow)
    if tails := unparseable_tails(samples):
        print("No answer was found where these end, for example:")
        for tail in tails:
            print(f"  {tail}")
    print(f"Metrics and samples are in {asked.settings.output_dir}")
    print(report_hint(asked.settings.output_dir))
