"""The costly stages: the solver's samples, their format, how many are right, and whether the critic solves the problem.

>>> from stepalign.curation.solvers import make_solver
>>> async def judged():
...     async with make_solver(arguments) as solver:
...         return await Judge(arguments, solver, None, grader).judge(candidates)
>>> len(asyncio.run(judged()))
3
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stepalign.clients.client import Failed
from stepalign.clients.pool import Pool
from stepalign.core.problem import Problem
from stepalign.core.rollout import Outcome, Rollout
from stepalign.curation.screen import Candidate
from stepalign.curation.solvers import Samples, Solver
from stepalign.curation.store import Decision
from stepalign.grading import AnyGrader
from stepalign.settings.curate import CurateSettings

ASK = "{problem}\n\nSolve the problem step by step. Put the final answer alone in \\boxed{{}} at the end."


class Judge:
    """Decides candidates. `critic` None leaves its stage out."""

    def __init__(self, arguments: CurateSettings, solver: Solver, critic: Pool | None, grader: AnyGrader) -> None:
        self._arguments, self._solver, self._critic, self._grader = arguments, solver, critic, grader

    async def judge(self, candidates: Sequence[Candidate]) -> list[Decision]:
        """A decision for each, in order.

        Raises:
            ModelError: the solver cannot be asked any more.
            CriticError: the critic cannot be asked any more.
        """
        if not candidates:
            return []
        sampled = await self._solver.sample_all([c.problem for c in candidates], candidates[0].position)
        return list(await asyncio.gather(*(self._decide(c, s) for c, s in zip(candidates, sampled, strict=True))))

    async def _decide(self, candidate: Candidate, samples: Samples) -> Decision:
        problem = candidate.problem
        decision = Decision(candidate.position, problem.id, problem=problem)
        if isinstance(samples, str):
            return replace(decision, stage="sampled", reason=samples)
        format_rate = sum(rollout.trace.layout in ("tags", "code") for rollout in samples) / len(samples)
        if format_rate < self._arguments.min_format_rate:
            return replace(decision, stage="step_format", detail={"format_rate": format_rate})
        outcomes = await asyncio.to_thread(self._grade, samples)
        rate = outcomes.count(Outcome.CORRECT) / len(outcomes)
        detail = _detail(format_rate, rate, outcomes)
        if rate <= self._arguments.correct_rate_above:
            return replace(decision, stage="solve_rate", reason="too_hard", detail=detail)
        if rate >= self._arguments.correct_rate_below:
            return replace(decision, stage="solve_rate", reason="too_easy", detail=detail)
        trouble = await self._critic_trouble(problem)
        if trouble:
            return replace(decision, stage="critic_solves", reason=trouble, detail=detail)
        kept = replace(problem, meta=problem.meta | {"curation": detail})
        return replace(decision, detail=detail, problem=kept)

    def _grade(self, samples: Sequence[Rollout]) -> list[Outcome]:
        return [self._grader.grade(rollout.text, rollout.problem).outcome for rollout in samples]

    async def _critic_trouble(self, problem: Problem) -> str:
        """Why the critic's one greedy solution is not right; empty where it is, or where there is no critic."""
        if self._critic is None:
            return ""
        try:
            reply = await self._critic.ask(ASK.format(problem=problem.problem), temperature=0.0)
        except Failed as error:
            return error.reason
        grade = await asyncio.to_thread(self._grader.grade, reply.text, problem)
        return "" if grade.is_correct else "cut_off" if reply.finish_reason == "length" else grade.outcome.value


def _detail(format_rate: float, rate: float, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The rates, and counts of samples that could not be graded: they are no right ones, and no wrong ones either."""
    ungraded = {
        f"num_{outcome.value}": outcomes.count(outcome)
        for outcome in (Outcome.UNPARSEABLE, Outcome.TIMEOUT, Outcome.ERROR)
        if outcome in outcomes
    }
    return {"num_samples": len(outcomes), "correct_rate": rate, "format_rate": format_rate, **ungraded}
