"""What a critique says of a response: whether it judges it at all, and where it says that it goes wrong.

>>> first_wrong_step(rollout, critique)         # None where no step is wrong
2
"""

from __future__ import annotations

from stepalign.core.critique import Critique
from stepalign.core.rollout import Rollout

STAND_IN = "reference"  # the source of a reference solution in the place of a rejected critique


def judging(critique: Critique | None) -> Critique | None:
    """The critique, None where it is a stand-in, which never looked at the response and cannot say what is wrong."""
    return None if critique is None or critique.source == STAND_IN else critique


def first_wrong_step(rollout: Rollout, critique: Critique) -> int | None:
    """The first wrong step (from 1) of the response, None where none of its steps is wrong.

    A missing justification (case B) is nothing wrong; neither is a step that the response does not have.
    """
    step = None if critique.case == "B" else critique.first_wrong_step
    return step if step is not None and 1 <= step <= len(rollout.trace.steps) else None
