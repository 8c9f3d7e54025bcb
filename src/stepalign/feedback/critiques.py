"""Critiques on record: how they are written, how they are read back, and where they say that a response goes wrong.

>>> critique_in(critique_row(critique)) == critique
True
>>> first_wrong_step(rollout, critique)         # None where no step is wrong
2
"""

from __future__ import annotations

from typing import Any

from stepalign.core.critique import Critique, CritiqueStep
from stepalign.core.rollout import Rollout

STAND_IN = "reference"  # the source of a reference solution in the place of a rejected critique


def judging(critique: Critique | None) -> Critique | None:
    """The critique, None where it is a stand-in, which never looked at the response and cannot say what is wrong."""
    return None if critique is None or critique.source == STAND_IN else critique


def critique_row(critique: Critique | None) -> dict[str, Any] | None:
    """The critique as JSON, None for none."""
    if critique is None:
        return None
    return {**critique.to_json(), "verified": critique.verified, "source": critique.source}


def critique_in(row: dict[str, Any] | None) -> Critique | None:
    """The critique that `critique_row` wrote."""
    return None if row is None else Critique(**{**row, "steps": tuple(CritiqueStep(**s) for s in row["steps"])})


def first_wrong_step(rollout: Rollout, critique: Critique) -> int | None:
    """The first wrong step (from 1) of the response, None where none of its steps is wrong.

    A missing justification (case B) is nothing wrong; neither is a step that the response does not have.
    """
    step = None if critique.case == "B" else critique.first_wrong_step
    return step if step is not None and 1 <= step <= len(rollout.trace.steps) else None
