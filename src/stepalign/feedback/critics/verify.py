"""What is believed of a critique: nothing until its answer is graded against the ground truth.

Case A claims that the trace is right as it stands, so the trace's own answer is graded and not the one beside the
claim: a trace that talks its critic into "case A" gains nothing by it.

    await Verifier(grader.grade).verify(rollout, critique)        # the critique, verified, or Rejected("wrong_answer")
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from stepalign.core.critique import Critique, CritiqueStep
from stepalign.core.rollout import Grade, Outcome, Rollout
from stepalign.core.trace import parse_trace
from stepalign.feedback.critics.align import num_leading_copies
from stepalign.feedback.critics.critic import Rejected
from stepalign.feedback.critics.leaks import is_leak
from stepalign.feedback.critiques import STAND_IN

GradeFunction = Callable[[str, str], Grade]
REASONS = {
    Outcome.WRONG: "wrong_answer",
    Outcome.UNPARSEABLE: "unparseable_answer",
    Outcome.TIMEOUT: "grading_timeout",
}


class Verifier:
    """Checks for leaks and grades answers. `grade` takes a response and the right answer; it may take its time."""

    def __init__(self, grade: GradeFunction) -> None:
        self._grade = grade

    async def verify(self, rollout: Rollout, critique: Critique) -> Critique:
        """
        Raises:
            Rejected: leak, not_verbatim, wrong_answer, unparseable_answer, grading_timeout.
        """
        own_words = [step.text for step in critique.steps if step.origin != "copied"]
        if critique.case != "A":
            own_words.append(critique.answer)
        if is_leak(own_words, rollout.problem.problem):
            raise Rejected("leak")
        trace = rollout.trace
        copied = {step.text for step in critique.steps if step.origin == "copied"}
        if not copied <= {step.text for step in trace.steps}:
            raise Rejected("not_verbatim")  # a function of the user's may err; the protocols cannot
        text, answer = f"<answer>{critique.answer}</answer>", critique.answer
        if critique.case == "A":
            text, answer = rollout.text, trace.answer
        truth = rollout.problem.answer
        if answer is None or answer.strip() != truth.strip():  # the same text needs no grader
            grade = await asyncio.to_thread(self._grade, text, truth)
            if not grade.is_correct:
                raise Rejected(REASONS[grade.outcome])
            if critique.case == "A" and answer is None:
                critique = replace(critique, answer=grade.extracted or critique.answer)
        return replace(critique, verified=True)


def verbatim_counts(rollout: Rollout, critique: Critique, num_correct: int | None = None) -> tuple[int, int]:
    """How many of the solver's correct steps came through unchanged from the start, and how many there are.

    `num_correct` is for a judge who knows better; None believes the critique: all steps before the first wrong one.
    """
    solver = [step.text for step in rollout.trace.steps]
    if num_correct is None:
        num_correct = len(solver) if critique.first_wrong_step is None else critique.first_wrong_step - 1
    return min(num_leading_copies(solver, critique.steps), num_correct), num_correct


def reference_critique(rollout: Rollout) -> Critique | None:
    """The reference solution in the shape of a critique, all of it inserted; None where the problem has none.

    It never looked at the response: which of its steps is wrong first stays unknown.
    """
    solution = rollout.problem.solution
    if not solution:
        return None
    steps = tuple(CritiqueStep(step.text, "inserted") for step in parse_trace(solution).steps)
    return Critique("D", None, steps, rollout.problem.answer, source=STAND_IN)
