"""`stepalign train`: train one condition from a recipe and flags."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from stepalign.cli.words import asks_for_help, report_hint, take
from stepalign.core.files import exclusive
from stepalign.settings.commands import TRAIN
from stepalign.settings.given import read_given


def run(argv: Sequence[str]) -> None:
    """Entry of the command: `argv` is what follows `train`."""
    if asks_for_help(TRAIN, argv):
        return
    argv, dry, show_all = take(argv, "--dry_run", "--show_all")
    given = read_given(TRAIN, argv)
    from stepalign.cli.dry_run import print_training
    from stepalign.cli.quiet import quieten
    from stepalign.cli.trained import print_trained
    from stepalign.settings.resolve import resolve_training
    from stepalign.training.run import train

    quieten()
    asked = resolve_training(given, offline=dry, need_directory=not dry)
    if dry:
        if asked.process_index == 0:
            print_training(asked, show_all)
        return
    with exclusive(asked.directory) if asked.process_index == 0 else nullcontext():
        checkpoints = train(asked)
    if asked.process_index == 0:
        print_trained(asked, checkpoints)
        print(report_hint(asked.directory))
