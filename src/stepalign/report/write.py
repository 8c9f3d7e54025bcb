"""The report of a directory, whichever command wrote it: one HTML file that opens from disk, with nothing fetched.

>>> write_report(run.directory).name
'report.html'
"""

from __future__ import annotations

from pathlib import Path

from stepalign.core.errors import DataError
from stepalign.core.files import read_json, write_text
from stepalign.runs import kinds
from stepalign.runs.files import ADVANTAGE, REPORT


def write_report(directory: Path, output: Path | None = None) -> Path:
    """Write the report of a finished or unfinished command and return its path; `output` None: `report.html` in it.

    Raises:
        DataError: no command wrote the directory, or a file in it is malformed.
    """
    try:
        html = render(directory)
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}).") from None
    path = output or directory / REPORT
    write_text(path, html)
    return path


def render(directory: Path) -> str:
    """The page of a directory."""
    kind = kinds.kind_of_directory(directory)
    if kind is kinds.COMPARISON:
        from stepalign.report.comparison.page import render_page
        from stepalign.runs.reading import read_run

        return render_page(read_run(directory))
    if kind is kinds.INSPECTION:
        from stepalign.report.inspection.page import render_page

        return render_page(read_json(directory / ADVANTAGE))
    from stepalign.report import critique, curation, evaluation, training
    from stepalign.report.localization import page as localization
    from stepalign.report.preflight import page as preflight

    pages = {
        kinds.TRAINING: training.render_page,
        kinds.EVALUATION: evaluation.render_page,
        kinds.GRADING: evaluation.render_page,
        kinds.PREFLIGHT: preflight.render_page,
        kinds.LOCALIZATION: localization.render_page,
        kinds.CRITIQUE: critique.render_page,
        kinds.CURATION: curation.render_page,
    }
    return pages[kind](directory)
