"""A critic that compares numbers: it follows the solver while the results of its steps are on the reference's way.

    >>> from stepalign.core.problem import Problem
    >>> problem = Problem("p", "Twice 40, plus 5?", "85", solution="2 * 40 = 80\\n80 + 5 = 85")
    >>> wrong = Rollout(problem, 0, "<step_1>2 * 40 = 80</step_1><step_2>80 + 5 = 90</step_2><answer>90</answer>")
    >>> critique = along_reference(wrong)
    >>> critique.first_wrong_step, [(step.origin, step.text) for step in critique.steps]
    (2, [('copied', '2 * 40 = 80'), ('rewritten', '80 + 5 = 85')])

It needs no model, only reference solutions with numbers in them. The first step whose result (the number behind its
last "=", else its last number) neither the problem nor the reference solution has is taken for the first wrong one, and
the reference's steps that remain follow, in their author's words, as in critiques spliced from labels. What it cannot
see: a right step that takes another way, which it calls wrong, and a wrong one with a number that stands somewhere in
the reference. How often that happens, `stepalign critique --audit` says.
"""

from __future__ import annotations

from decimal import Decimal

from stepalign.core.critique import Critique, CritiqueStep
from stepalign.core.rollout import Rollout
from stepalign.data.label import Label
from stepalign.feedback.critics.critic import Rejected
from stepalign.feedback.critics.labels import labelled_critique, numbers, remaining, result, spliced

SOURCE = "results"


def along_reference(rollout: Rollout) -> Critique:
    """Case A where the answer is right; else D from the first step on that leaves the reference's way, or C where none
    does: the reference's other steps follow.

    Raises:
        Rejected: "no_reference": the problem has no solution, or no answer.
    """
    if not rollout.problem.solution or not rollout.problem.answer:
        raise Rejected("no_reference")
    is_right = _is_right(rollout)
    wrong = None if is_right else first_off_the_way(rollout)
    if wrong is not None or is_right:
        critique = labelled_critique(rollout, Label(rollout, wrong))
        assert critique is not None  # there are an answer and a solution
        return Critique(critique.case, wrong, critique.steps, critique.answer, source=SOURCE)
    texts = [step.text for step in rollout.trace.steps]
    rest = remaining(rollout.problem.solution or "", texts, rollout.problem.problem)
    copied = (CritiqueStep(text, "copied") for text in texts)
    steps = (*copied, *(CritiqueStep(text, "inserted") for text in rest))
    return Critique("C", None, steps, rollout.problem.answer, source=SOURCE)


def along_reference_from(rollout: Rollout, step: int) -> Critique | None:
    """The critique that copies all before a step (from 1), right or wrong, and goes on with the reference's steps; None
    where there is nothing to go on with."""
    return spliced(rollout, Label(rollout, None), step)


def first_off_the_way(rollout: Rollout) -> int | None:
    """The first step (from 1) whose result neither the problem nor its reference solution has; None for none."""
    problem = rollout.problem
    known: set[Decimal] = {*numbers(problem.problem), *numbers(problem.solution or ""), *numbers(problem.answer)}
    results = ((step.index, result(step.text)) for step in rollout.trace.steps)
    return next((index for index, value in results if value is not None and value not in known), None)


def _is_right(rollout: Rollout) -> bool:
    if rollout.grade is not None:
        return rollout.grade.is_correct
    steps = rollout.trace.steps
    said = rollout.trace.answer or (steps[-1].text if steps else "")
    return numbers(said)[-1:] == numbers(rollout.problem.answer)[-1:] != []
