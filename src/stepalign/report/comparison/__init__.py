"""The report of a run: one HTML file that opens from disk, with nothing fetched and nothing left out silently.

>>> write_report(run.directory).name
'report.html'
"""

from __future__ import annotations

from pathlib import Path

from stepalign.core.files import write_text
from stepalign.report.comparison.page import render_page
from stepalign.runs.files import REPORT
from stepalign.runs.reading import read_run

__all__ = ["write_report"]


def write_report(run_dir: Path, output: Path | None = None) -> Path:
    """Write the report of a finished or unfinished run and return its path; `output` None: `report.html` in the run.

    Raises:
        DataError: `run_dir` is not a run directory, or a file in it is malformed.
    """
    html = render_page(read_run(run_dir))
    path = output or run_dir / REPORT
    write_text(path, html)
    return path
