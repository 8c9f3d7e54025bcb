"""`stepalign preflight`: before training, what each feedback format would teach, and whether to go."""

from __future__ import annotations

from collections.abc import Sequence

from stepalign.cli.words import asks_for_help, report_hint
from stepalign.core.files import exclusive
from stepalign.runs.files import PREFLIGHT as RESULT
from stepalign.settings.commands import PREFLIGHT
from stepalign.settings.given import read_given
from stepalign.settings.recipes import read_recipe


def run(argv: Sequence[str]) -> None:
    """Entry of the command: `argv` is what follows `preflight`."""
    if asks_for_help(PREFLIGHT, argv):
        return
    names_a_model = any(word.split("=")[0] in ("--config", "--model_name_or_path") for word in argv)
    given = read_given(PREFLIGHT, argv, {} if names_a_model else read_recipe("micro"))
    from stepalign.cli.quiet import quieten
    from stepalign.report.preflight.terminal import print_preflight
    from stepalign.settings.resolve import resolve_preflight
    from stepalign.signal.trial import preflight

    quieten()
    asked = resolve_preflight(given)
    with exclusive(asked.directory, timeout_s=1):
        result = preflight(asked)
    print_preflight(result)
    print(f"\nAll of it: {asked.directory / RESULT}")
    print(report_hint(asked.directory))
