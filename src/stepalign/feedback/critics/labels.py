"""A critic made of labels: who knows which step is wrong first, and how the problem is solved, needs no model.

    >>> from stepalign.data.labels import load_labels
    >>> row = {"id": "p1", "problem": "Twice 40, plus 5?", "answer": "85", "solution": "2 * 40 = 80\\n80 + 5 = 85"}
    >>> (label,) = load_labels([{**row, "steps": ["Twice 40 is 2 * 40 = 80.", "80 + 5 = 90"], "first_wrong_step": 2}])
    >>> [(step.origin, step.text) for step in labelled_critique(label.rollout, label).steps]
    [('copied', 'Twice 40 is 2 * 40 = 80.'), ('rewritten', '80 + 5 = 85')]

Such a critique is spliced, and wherever it is used that is said: the solver's steps before the first wrong one,
verbatim, then the label's own correction, or else the steps of the reference solution that remain, in their author's
words. A step of the reference remains unless the copied steps have its result already. A step's result is the number
behind its last "=", or its last number where it has none; what the copied steps have are the numbers behind each "=",
and of a step without one its last number that the problem does not state. Where nothing would remain, the last step
does. Without a correction and a reference solution the right answer follows the copied steps at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from stepalign.core.critique import Critique, CritiqueStep, Origin
from stepalign.core.rollout import Rollout
from stepalign.core.trace import parse_trace
from stepalign.data.answers import find_answer
from stepalign.data.label import Label, by_id

SOURCE = "labels"
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?|(?<![\w.])\.\d+")


def labelled_critique(rollout: Rollout, label: Label) -> Critique | None:
    """The critique of a labelled rollout: case A, everything copied, where no step is wrong; else spliced.

    Returns:
        None where the right answer is not known, or where nothing but the answer is left to say: the first step is
        wrong, and the label has neither a correction nor a reference solution.
    """
    if label.first_wrong_step is not None:
        return spliced(rollout, label, label.first_wrong_step)
    answer = rollout.problem.own_answer or rollout.trace.answer
    if not answer and rollout.problem.tests is None:
        return None
    copied = tuple(CritiqueStep(step.text, "copied") for step in rollout.trace.steps)
    return Critique("A", None, copied, answer, verified=True, source=SOURCE)


def spliced(rollout: Rollout, label: Label, step: int) -> Critique | None:
    """A critique that copies all before a step (from 1) and carries on from there, whatever is right or wrong.

    Returns:
        None where there is nothing to copy and nothing to carry on with.
    """
    steps = [each.text for each in rollout.trace.steps]
    copied = steps[: step - 1]
    if label.correction and step == label.first_wrong_step:
        rest = list(label.correction)
    else:
        rest = remaining(rollout.problem.solution or "", copied, rollout.problem.problem)
    if not (rest or copied) or not rollout.problem.answer:
        return None
    origins: list[Origin] = ["rewritten" if i < len(steps) - len(copied) else "inserted" for i in range(len(rest))]
    written = (CritiqueStep(text, origin) for text, origin in zip(rest, origins, strict=True))
    kept = (CritiqueStep(text, "copied") for text in copied)
    why = label.reason if step == label.first_wrong_step else ""
    answer = rollout.problem.answer
    return Critique("D", step, (*kept, *written), answer, verified=True, source=SOURCE, judgement=why)


def remaining(solution: str, copied: Sequence[str], problem: str) -> list[str]:
    """The steps of a reference solution whose results the copied steps do not have; the last one at least."""
    found = find_answer(solution)
    steps = [step.text for step in parse_trace(found.solution or "" if found else solution).steps]
    stated = set(numbers(problem))
    known: set[Decimal] = set()
    for text in copied:
        _, *behind = text.split("=")
        own = [number for number in numbers(text) if number not in stated]
        known |= {first for part in behind for first in numbers(part)[:1]} if behind else set(own[-1:])
    return [text for text in steps if result(text) not in known] or steps[-1:]


def result(text: str) -> Decimal | None:
    """The number behind the last "=" of a step, its last number where it has none, None without a number."""
    behind = numbers(text.rpartition("=")[2])
    if "=" in text:
        return behind[0] if behind else None
    return behind[-1] if behind else None


def numbers(text: str) -> list[Decimal]:
    """The numbers of a text in order, without signs, units and commas between thousands.

    >>> numbers("16 bags at $1,250.50 are $20008")
    [Decimal('16'), Decimal('1250.5'), Decimal('20008')]
    """
    found = (Decimal(match.group().replace(",", "")) for match in NUMBER.finditer(text))
    return [value.normalize() if value % 1 else value.quantize(Decimal(1)) for value in found]


class LabelsCritic:
    """The critic of some labelled rollouts, as feedback formats ask one; it can also be told which step to rewrite."""

    can_rewrite = True

    def __init__(self, labels: Iterable[Label]):
        self.labels = by_id(list(labels))

    def __call__(self, rollouts: Sequence[Rollout]) -> list[Critique | None]:
        """The critique of each, None where its label does not say enough."""
        return [labelled_critique(rollout, self.labels[rollout.problem.id]) for rollout in rollouts]

    def rewrite(self, rollouts: Sequence[Rollout], steps: Sequence[int]) -> list[Critique | None]:
        """Of each a critique that copies all before the step (from 1) and goes on with the reference's other steps."""
        asked = zip(rollouts, steps, strict=True)
        return [spliced(rollout, self.labels[rollout.problem.id], step) for rollout, step in asked]
