"""`stepalign report DIR [--output F.html]`: write the report of a directory, finished or not, and print its path.

The directory is the output directory of any command; the report is one HTML file that opens from disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stepalign.cli.words import asks_for_help
from stepalign.settings.command_groups import ReportSettings
from stepalign.settings.commands import REPORT
from stepalign.settings.given import read_given


def run(argv: Sequence[str]) -> None:
    """Write the report and print where it is; a directory that cannot be read raises `DataError`."""
    if asks_for_help(REPORT, argv):
        return
    settings = read_given(REPORT, argv).make(ReportSettings)
    from stepalign.report.write import write_report

    print(write_report(Path(settings.run), None if settings.output is None else Path(settings.output)))
