"""What is believed of a critique: nothing until its answer is graded against the ground truth.

Case A claims that the trace is right as it stands, so the trace's own answer is graded and not the one beside the
claim: a trace that talks its critic into "case A" gains nothing by it.

A critique that speaks of the ground truth leaks it: the teacher would then imitate a solver who was told the answer.
Only the critic's own words are searched; steps copied from the solver are the solver's.

    >>> asyncio.run(verify(rollout, critique, grader.grade)).verified
    True
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from stepalign.core.critique import Critique, CritiqueStep
from stepalign.core.problem import Problem
from stepalign.core.rollout import Grade, Outcome, Rollout
from stepalign.feedback.critics.align import num_leading_copies
from stepalign.feedback.critics.critic import CritiqueRecord, Rejected
from stepalign.feedback.critics.settings import OnFailure
from stepalign.feedback.critiques import STAND_IN

GradeFunction = Callable[[str, Problem], Grade]
REASONS = {
    Outcome.WRONG: "wrong_answer",
    Outcome.UNPARSEABLE: "unparseable_answer",
    Outcome.TIMEOUT: "grading_timeout",
    Outcome.ERROR: "grading_error",
    Outcome.MEMORY: "grading_memory",
}
# "reference angle" and the like are mathematics
REFERENCE = (
    r"\breferences?\b(?!\s+(?:angles?|frames?|points?|lines?|planes?|levels?|temperatures?|triangles?|axis|axes)\b)"
)
OTHERS = (
    r"\bground[\s-]*truth\b",
    r"\banswer[\s-]keys?\b",
    r"\b(?:given|provided|supplied|official|known|expected|stated)\s+(?:correct\s+)?(?:final\s+)?(?:answer|solution)\b",
)
LEAK = re.compile("|".join((REFERENCE, *OTHERS)), re.IGNORECASE)


async def verify(rollout: Rollout, critique: Critique, grade: GradeFunction) -> Critique:
    """The critique, marked as verified: it leaks nothing, copies what it says it copies, and its answer is right.

    Args:
        grade: takes a response and its problem; it may take its time.
    Raises:
        Rejected: leak, not_verbatim, wrong_answer, unparseable_answer, grading_timeout, grading_error.
    """
    own_words = [critique.judgement, *(step.text for step in critique.steps if step.origin != "copied")]
    if critique.case != "A":
        own_words.append(critique.answer or "")
    if is_leak(own_words, rollout.problem.problem):
        raise Rejected("leak")
    trace = rollout.trace
    copied = {step.text for step in critique.steps if step.origin == "copied"}
    if not copied <= {step.text for step in trace.steps}:
        raise Rejected("not_verbatim")  # a function of the user's may err; the protocols cannot
    text, answer = to_grade(critique), critique.answer
    if critique.case == "A":
        text, answer = rollout.text, trace.answer
    truth = rollout.problem.answer
    if (
        rollout.problem.tests is not None or answer is None or answer.strip() != truth.strip()
    ):  # else no grader is needed
        graded = await asyncio.to_thread(grade, text, rollout.problem)
        if not graded.is_correct:
            raise Rejected(REASONS[graded.outcome])
        if critique.case == "A" and answer is None and rollout.problem.tests is None:
            critique = replace(critique, answer=graded.extracted or critique.answer)
    return replace(critique, verified=True)


def to_grade(critique: Critique) -> str:
    """What of a critique is graded: its answer, or the program that it is."""
    return critique.text if critique.answer is None else f"<answer>{critique.answer}</answer>"


def is_leak(texts: Iterable[str], problem: str) -> bool:
    """Whether any text speaks of a reference or ground truth in words that the problem does not use itself."""
    own = {match.group().casefold() for match in LEAK.finditer(problem)}
    return any(match.group().casefold() not in own for text in texts for match in LEAK.finditer(text))


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
    steps = tuple(CritiqueStep(step.text, "inserted") for step in rollout.problem.trace(solution).steps)
    return Critique("D", None, steps, rollout.problem.own_answer, source=STAND_IN)


def rejected_record(rollout: Rollout, reason: str, on_failure: OnFailure, reply: str | None = None) -> CritiqueRecord:
    """The record of a rollout whose critique stays rejected: it is skipped, or the reference solution stands in.

    Args:
        reply: the critic's last one, for who wants to know what was rejected.
    """
    critique = reference_critique(rollout) if on_failure == "reference" else None
    status = "skipped" if critique is None else "unverified"
    return CritiqueRecord(rollout.problem.id, rollout.sample, status, critique, reason, reply)
