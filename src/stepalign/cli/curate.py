"""`stepalign curate`: from a large source of problems to those that a solver half masters and a critic can teach.

stepalign curate --config curate-micro --source problems/train.jsonl --output_dir curated
"""

from __future__ import annotations

from collections.abc import Sequence

from stepalign.cli.words import asks_for_help, report_hint
from stepalign.settings.commands import CURATE
from stepalign.settings.given import read_given


def run(argv: Sequence[str]) -> None:
    """Entry of the command: `argv` is what follows `curate`."""
    if asks_for_help(CURATE, argv):
        return
    given = read_given(CURATE, argv)
    from stepalign.cli.quiet import quieten
    from stepalign.curation.run import curate
    from stepalign.settings.evaluation import resolve_curation
    from stepalign.settings.resolve import resolve_critic

    quieten()
    settings = resolve_curation(given)
    result = curate(settings, resolve_critic(given))
    held_out = settings.num_validation + settings.num_test
    print(
        f"{result['num_kept']} problems of {result['num_rows']} rows: {result['num_kept'] - held_out} for training, "
        f"{settings.num_validation} for validation, {settings.num_test} for test. See {settings.output_dir}."
    )
    if settings.num_problems and result["stopped"] != "found_enough":
        print(f"The source ended before {settings.num_problems} problems were found.")
    print(report_hint(settings.output_dir))
