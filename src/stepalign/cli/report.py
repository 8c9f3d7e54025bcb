"""`stepalign report RUN [--output F.html]`: write the report of a run, finished or not, and print its path.

The run directory is what `stepalign compare` writes; the report is one HTML file that opens from disk.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Declare the command's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "report", description="Write the report of a run, finished or not, as one HTML file that opens from disk."
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="the run directory that `stepalign compare` wrote")
    parser.add_argument("--output", type=Path, metavar="F.html", help="where to write it (default: RUN/report.html)")


def run(args: argparse.Namespace) -> None:
    """Write the report and print where it is; a run directory that cannot be read raises `DataError`."""
    from stepalign.report.comparison import write_report

    print(write_report(args.run, args.output))
