"""What probes left of a run: a few fixed rollouts, and what their signal was before training and at steps of it.

>>> [probe.row.first_wrong_step for probe in read_probes(trained)]
[]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stepalign.report.rollouts import Scored
from stepalign.runs import files
from stepalign.runs.row import read_rows
from stepalign.runs.rows import ProbedRow, ProbeRow, SignalRow

Place = tuple[str, int, str]  # problem, sample, text: which rollout a score is of


class Probed(NamedTuple):
    """A rollout that is probed, and its rows by step, before training first."""

    row: ProbedRow
    at: Sequence[ProbeRow]


def read_probes(directory: Path) -> list[Probed]:
    """Those of the training run in `directory`; none where it was not probed."""
    rows = sorted(read_rows(directory / files.PROBES, ProbeRow), key=lambda row: row.step)
    probed = read_rows(directory / files.PROBED, ProbedRow)
    return [Probed(of, [row for row in rows if row.probe == i]) for i, of in enumerate(probed)]


def scored_rollouts(directory: Path, condition: str, signal: Sequence[SignalRow] = ()) -> dict[Place, Scored]:
    """A_t of the rollouts of a training run that have it: those of a comparison's figure, those that `inspect` looked
    at, and those that are probed.

    Args:
        directory: of the run.
        condition: the name of its contexts.
        signal: the rows of the comparison's `signal.json`.
    """
    found = {
        (row.problem_id, row.sample, row.text): Scored(
            row.tokens,
            row.token_steps,
            row.first_wrong_step,
            {name: [context["advantage"]] for name, context in row.contexts.items()},
        )
        for row in (*signal, *read_rows(directory / files.INSPECTED, SignalRow))
    }
    for probe in read_probes(directory):
        rows = [row for row in probe.at if len(row.advantage) == len(probe.row.tokens) > 0]
        if rows:
            of, steps = probe.row, [row.step for row in rows]
            contexts = {condition: [row.advantage for row in rows]}
            place = of.problem_id, of.sample, of.text
            found[place] = Scored(of.tokens, of.token_steps, of.first_wrong_step, contexts, steps)
    return found
