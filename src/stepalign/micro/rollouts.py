"""Rollouts of the micro world that need no model: written from a seed, with every kind of error in them.

rollouts = made_rollouts(make_problems(World(), count=20, seed=0), seed=0)
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.micro.corpus import enumeration, solver_trace
from stepalign.micro.problems import parse_problem
from stepalign.micro.wording import Style

FORGET = 0.1  # probability that a carry is dropped
CONDENSED = 0.1  # share of steps without their working
SKIPPED = 0.05  # share of steps left out


def made_rollouts(problems: Sequence[Problem], seed: int) -> list[Rollout]:
    """One a problem, in the solver's words: right, wrong from some step on, or with gaps.

    Of twenty, the last guesses until the tokens run out, and the one before is cut off in its middle.
    """
    rng = random.Random(seed)
    return [_made_rollout(problem, i % 20, rng) for i, problem in enumerate(problems)]


def _made_rollout(problem: Problem, place: int, rng: random.Random) -> Rollout:
    if place == 19:
        return Rollout(problem, 0, enumeration(rng), finish_reason="length")
    text = solver_trace(parse_problem(problem.problem), rng, Style(rng), FORGET, CONDENSED, SKIPPED)
    if place == 18:
        return Rollout(problem, 0, text[: len(text) // 2], finish_reason="length")
    return Rollout(problem, 0, text)
