"""What probes left of a run: a few fixed rollouts, and what their signal was before training and at steps of it.

>>> [probe.row.first_wrong_step for probe in read_probes(trained)]
[]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stepalign.runs import files
from stepalign.runs.row import read_rows
from stepalign.runs.rows import ProbedRow, ProbeRow


class Probed(NamedTuple):
    """A rollout that is probed, and its rows by step, before training first."""

    row: ProbedRow
    at: Sequence[ProbeRow]


def read_probes(directory: Path) -> list[Probed]:
    """Those of the training run in `directory`; none where it was not probed."""
    rows = sorted(read_rows(directory / files.PROBES, ProbeRow), key=lambda row: row.step)
    probed = read_rows(directory / files.PROBED, ProbedRow)
    return [Probed(of, [row for row in rows if row.probe == i]) for i, of in enumerate(probed)]
