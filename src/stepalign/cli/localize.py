"""`stepalign localize`: does a context find the step that people marked as wrong, and leave those before it alone?

stepalign localize --model micro --labels labels.jsonl --conditions refsol stepalign --output_dir runs/localize
"""

from __future__ import annotations

from collections.abc import Sequence

from stepalign.cli.words import asks_for_help
from stepalign.core.files import exclusive
from stepalign.settings.commands import LOCALIZE
from stepalign.settings.given import read_given


def run(argv: Sequence[str]) -> None:
    """Entry of the command: `argv` is what follows `localize`."""
    if asks_for_help(LOCALIZE, argv):
        return
    given = read_given(LOCALIZE, argv)
    from stepalign.cli.quiet import quieten
    from stepalign.report.localization.terminal import print_localization
    from stepalign.report.write import write_report
    from stepalign.settings.localization import resolve_localization
    from stepalign.signal.localize import localize

    quieten()
    asked = resolve_localization(given)
    with exclusive(asked.directory, timeout_s=1):
        result = localize(asked)
    print_localization(result)
    print(f"\nReport: {write_report(asked.directory)}")
