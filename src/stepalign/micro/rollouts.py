"""Rollouts of the micro world that need no model: written from a seed, with every kind of error in them.

>>> from stepalign.micro.problems import World, make_problems
>>> rollouts = made_rollouts(make_problems(World(), count=20, seed=0), seed=0)
>>> rollouts[19].finish_reason
'length'
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.core.trace import render_steps
from stepalign.micro.arithmetic import columns, compute, num_carries, result
from stepalign.micro.problems import Chain, parse_problem
from stepalign.micro.wording import Style, word_step

FORGET = 0.1  # probability that a carry is dropped
CONDENSED = 0.1  # share of steps without their working
SKIPPED = 0.05  # share of steps left out
WRONG = 0.75  # share of labelled rollouts with a wrong step


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


def labelled_rollouts(problems: Sequence[Problem], seed: int) -> list[tuple[Rollout, int | None]]:
    """One a problem, in the solver's words, with its first wrong step (from 1): known because it was made.

    At most one carry is dropped, in a step drawn among those that have one; in about one of four rollouts none is. What
    follows a wrong step is right on what it left. None: no step is wrong.
    """
    rng = random.Random(f"stepalign labelled rollouts {seed}")
    return [_labelled_rollout(problem, rng) for problem in problems]


def _labelled_rollout(problem: Problem, rng: random.Random) -> tuple[Rollout, int | None]:
    chain, style = parse_problem(problem.problem), Style(rng)
    worked = zip(chain.before, chain.operations, strict=True)
    with_carry = [k for k, (value, (op, operand)) in enumerate(worked) if num_carries(value, op, operand)]
    wrong = rng.choice(with_carry) if with_carry and rng.random() < WRONG else None
    value, steps = chain.start, list[str]()
    for k, (op, operand) in enumerate(chain.operations):
        op = "+" if op == "-" and value < operand else op  # there is no column work for it
        dropped = [k == wrong]  # the first carry of the wrong step
        work = columns(value, op, operand, lambda dropped=dropped: bool(dropped) and dropped.pop())
        steps.append(word_step(op, operand, work, result(work), style))
        value = result(work)
    return Rollout(problem, 0, render_steps(steps, str(value))), None if wrong is None else wrong + 1


def solver_trace(
    chain: Chain, rng: random.Random, style: Style, forget: float, condensed: float = 0.0, skipped: float = 0.0
) -> str:
    """A trace as the solver writes it: errors carry on into the later steps and the answer."""
    value, steps = chain.start, list[str]()
    for op, operand in chain.operations:
        if op == "-" and value < operand:  # only after an error or a reordering; there is no column work for it
            op = "+"
        if rng.random() < condensed:
            work, after = None, compute(value, op, operand)
        else:
            work = columns(value, op, operand, lambda: rng.random() < forget)
            after = result(work)
        if rng.random() >= skipped:
            steps.append(word_step(op, operand, work, after, style))
        value = after
    return render_steps(steps, str(value))


def enumeration(rng: random.Random) -> str:
    """The wrong approach: guess after guess, never closed."""
    first = rng.randint(10, 900)
    guesses = " ".join(f"Try {first + i}: no." for i in range(rng.randint(30, 40)))
    return f"<step_1>{guesses}"
