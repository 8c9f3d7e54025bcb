"""A rollout whose first wrong step somebody marked, whatever file it is from (`stepalign.data.labels` reads them).

>>> label = Label(rollout, 2, reason="4 + 1 is 5.")
>>> len(label.steps) >= label.first_wrong_step
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stepalign.core.problem import Problem
from stepalign.core.program import render_program
from stepalign.core.rollout import Rollout
from stepalign.core.trace import parse_trace, render_steps


@dataclass(frozen=True)
class Label:
    """A rollout and what is known of it.

    Attributes:
        rollout: its problem's id is the row's; the answer is empty where it is not known.
        first_wrong_step: from 1; None: no step is wrong.
        reason: the annotator's words on what is wrong; empty where there are none.
        correction: right steps in the place of the first wrong one and those behind it; empty where there are none.
    """

    rollout: Rollout
    first_wrong_step: int | None
    reason: str = ""
    correction: tuple[str, ...] = ()

    @property
    def steps(self) -> list[str]:
        """The texts of the steps."""
        return [step.text for step in self.rollout.trace.steps]

    def to_json(self) -> dict[str, Any]:
        """The row in our own form; what is not known is left out."""
        problem = self.rollout.problem
        row = {key: value for key, value in problem.to_json().items() if key != "meta"}
        row |= {"steps": self.steps, "first_wrong_step": self.first_wrong_step}
        row |= {"response": self.rollout.text} if self.rollout.text != written(problem, self.steps) else {}
        row |= {"finish_reason": "length"} if self.rollout.finish_reason == "length" else {}
        row |= {"reason": self.reason} if self.reason else {}
        return row | ({"correction": list(self.correction)} if self.correction else {})


def by_id(labels: Sequence[Label]) -> Mapping[str, Label]:
    """By the ids of their rollouts."""
    return {label.rollout.problem.id: label for label in labels}


def joined(steps: Sequence[str]) -> str | None:
    """The text whose steps are these; None where no layout keeps them apart."""
    layouts = ("\n".join(steps), "\n\n".join(steps), render_steps(steps))
    return next((text for text in layouts if [step.text for step in parse_trace(text).steps] == list(steps)), None)


def written(problem: Problem, steps: Sequence[str]) -> str | None:
    """The response that has these steps, where no text of it is given; None where no layout keeps them apart."""
    return joined(steps) if problem.tests is None else render_program(steps)
