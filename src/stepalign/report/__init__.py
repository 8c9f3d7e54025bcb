"""What people look at: the pages of runs and inspections, figures, and tables in the terminal.

The room can be called, because `stepalign.report` is its name and the function's: `stepalign.report("runs/demo")`
writes the report of a run.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType


class _Room(ModuleType):
    def __call__(self, run: str | Path, output: str | Path | None = None) -> Path:
        """Write the report of a run, finished or not, as one HTML file; returns its path."""
        from stepalign.report.write import write_report

        return write_report(Path(run), None if output is None else Path(output))


sys.modules[__name__].__class__ = _Room
