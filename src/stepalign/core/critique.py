"""A critique: what a critic makes of one rollout, typed, so that its text is rendered and never merely believed.

Cases (arXiv 2606.11173): A everything is right; B the answer is right but a justification is missing; C the trace is
unfinished; D a step is wrong. A step marked "copied" holds the solver's characters exactly.

    >>> critique = Critique(case="A", first_wrong_step=None, steps=(CritiqueStep("2 + 2 = 4", "copied"),), answer="4")
    >>> print(critique.text)
    <step_1>2 + 2 = 4</step_1>
    <answer>4</answer>
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from stepalign.core.program import render_program
from stepalign.core.text import clean_fields
from stepalign.core.trace import render_steps

CritiqueCase = Literal["A", "B", "C", "D"]
Origin = Literal["copied", "rewritten", "inserted"]


@dataclass(frozen=True)
class CritiqueStep:
    """One step of the corrected trace and where its text is from."""

    text: str
    origin: Origin

    def __post_init__(self) -> None:
        clean_fields(self, "text")


@dataclass(frozen=True)
class Critique:
    """The corrected trace of one rollout.

    `first_wrong_step` counts from 1 in the solver's trace; None in case A, and where nobody knows. `verified`: the
    answer was graded correct. `answer` is None of a program: its steps are its lines, and they are what is graded.
    `source` names the critic. `judgement`: why the step is wrong, in prose; empty where the critic did not say.
    `reply`: the language model's words that the critique was read from, as they came; empty where none was asked.
    """

    case: CritiqueCase
    first_wrong_step: int | None
    steps: tuple[CritiqueStep, ...]
    answer: str | None
    verified: bool = False
    source: str = ""
    judgement: str = ""
    reply: str = ""

    def __post_init__(self) -> None:
        clean_fields(self, "answer", "judgement", "reply")

    @property
    def text(self) -> str:
        """The corrected trace, ready to be a context: in step tags, a program in a fence."""
        texts = [step.text for step in self.steps]
        return render_program(texts) if self.answer is None else render_steps(texts, self.answer)

    def to_json(self) -> dict[str, Any]:
        """What every record of a critique holds; records add where it is from or how it ended."""
        row = {
            "case": self.case,
            "first_wrong_step": self.first_wrong_step,
            "steps": [{"text": step.text, "origin": step.origin} for step in self.steps],
            "answer": self.answer,
        }
        said = {"judgement": self.judgement, "reply": self.reply}
        return row | {name: words for name, words in said.items() if words}


@dataclass(frozen=True)
class Context:
    """The text that the self-teacher sees and the student does not; `critique`: the critic's of the rollout, where the
    text was made from one."""

    text: str
    critique: Critique | None = None

    def __post_init__(self) -> None:
        clean_fields(self, "text")
