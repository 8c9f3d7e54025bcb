"""Contexts that are made of problems and their reference solutions: the same for every rollout of a problem.

Each isolates a part of what a reference solution gives the self-teacher:

    none        the teacher's template alone: what is gained by asking in other words
    other       another problem's solution: what any worked solution does
    shifted     the problem's own solution with its numbers changed: the way without the values
    answer      the answer alone: the goal without the way
    hint        the solution's first step
    first_half  the first half of its steps
    refsol      all of it

    >>> from stepalign.feedback.formats import build_context
    >>> problem = Problem("p", "2 + 2 + 3?", "7", solution="2 + 2 = 4\\n4 + 3 = 7")
    >>> build_context(Rollout(problem, 0, "It is 5."), "hint").text
    '2 + 2 = 4'
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import cached_property

from stepalign.core.critique import Context
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.feedback.formats import FeedbackFormat, register_feedback

NUMBER = re.compile(r"</?\s*step_\d+\s*>|(\d+)", re.IGNORECASE)  # the digits of a step tag are no numbers
TRIES = 20  # draws for a replacement that no other number has yet; there are nine digits for all of one digit
SOLUTION = "a reference solution: give problems that have a 'solution'"


class OfProblem(FeedbackFormat):
    """Base of formats whose context depends on the problem alone."""

    needs = SOLUTION

    def text(self, problem: Problem) -> str | None:
        """The context's text, None where the problem lacks what it takes."""
        raise NotImplementedError

    def contexts(self, rollouts: Sequence[Rollout]) -> list[Context | None]:
        """The context of each rollout's problem."""
        texts = [self.text(rollout.problem) for rollout in rollouts]
        return [None if text is None else Context(text) for text in texts]


@register_feedback("none")
class NoContext(OfProblem):
    """The teacher's template without a context: isolates what its other words and a thinking teacher do by themselves
    (arXiv 2609.20612)."""

    needs = ""

    def text(self, problem: Problem) -> str:
        """Nothing."""
        return ""


@register_feedback("other")
class Other(OfProblem):
    """Another problem's reference solution, the same one each time: isolates what a worked solution does that has
    nothing to do with the problem (arXiv 2608.09228)."""

    needs = f"{SOLUTION}, two at least"

    @cached_property
    def order(self) -> list[Problem]:
        """Those that have a solution, in an order that the seed draws."""
        order = [p for p in self.problems if p.solution]
        random.Random(f"stepalign other {self.seed}").shuffle(order)
        return order

    def text(self, problem: Problem) -> str | None:
        """The solution of the next problem in the order, the first after the last; None where there is no other."""
        ids = [p.id for p in self.order]
        at = ids.index(problem.id) + 1 if problem.id in ids else 0
        others = [p for p in self.order[at:] + self.order[:at] if p.id != problem.id and p.problem != problem.problem]
        return others[0].solution if others else None


@register_feedback("shifted")
class Shifted(OfProblem):
    """The reference solution with its numbers changed, the same number always to the same other one: isolates the way
    of the solution from its values."""

    def text(self, problem: Problem) -> str | None:
        """The solution with other numbers."""
        if not problem.solution:
            return None
        return shift_numbers(problem.solution, random.Random(f"stepalign shifted {self.seed} {problem.id}"))


@register_feedback("answer")
class Answer(OfProblem):
    """The right answer alone, in answer tags: isolates knowing the goal from knowing the way."""

    needs = "an answer, which problems that ask for a program have not"

    def text(self, problem: Problem) -> str | None:
        """The answer, None where a program is asked for."""
        return None if problem.tests is not None else f"<answer>{problem.answer}</answer>"


@register_feedback("hint")
class Hint(OfProblem):
    """The first step of the reference solution; none where it is the only one: isolates a start from the rest."""

    needs = f"{SOLUTION} of several steps"

    def text(self, problem: Problem) -> str | None:
        """The first step."""
        return first_steps(problem, 1)


@register_feedback("first_half")
class FirstHalf(OfProblem):
    """The first half of the reference solution's steps, rounded down, one at least: half of the way and no answer."""

    needs = f"{SOLUTION} of several steps"

    def text(self, problem: Problem) -> str | None:
        """The first half."""
        return first_steps(problem)


@register_feedback("refsol")
class RefSol(OfProblem):
    """The dataset's reference solution, whatever the rollout says (OPSD; the paper's RefSol)."""

    def text(self, problem: Problem) -> str | None:
        """The solution, None where there is none."""
        return problem.solution or None


def first_steps(problem: Problem, count: int | None = None) -> str | None:
    """The beginning of a solution, verbatim, up to the end of a step.

    Args:
        count: of the steps; None: half of them, rounded down.
    Returns:
        None where nothing would be left out: no solution, or one of a single step.
    """
    solution = problem.solution or ""
    steps = problem.trace(solution).steps
    if len(steps) < 2:
        return None
    last = steps[(count or len(steps) // 2) - 1]
    return solution[: last.end + len(last.close_tag)]


def shift_numbers(text: str, rng: random.Random) -> str:
    """The text with each whole number replaced by another of as many digits, everywhere by the same one."""
    others: dict[str, str] = {}

    def shifted(match: re.Match[str]) -> str:
        number: str | None = match[1]
        if number is None:  # a step tag
            return match[0]
        if number not in others:
            others[number] = _another(number, set(others.values()), rng)
        return others[number]

    return NUMBER.sub(shifted, text)


def _another(number: str, taken: set[str], rng: random.Random) -> str:
    first = "0123456789" if number[0] == "0" or len(number) == 1 else "123456789"
    drawn = number
    for _ in range(TRIES):
        drawn = rng.choice(first) + "".join(rng.choice("0123456789") for _ in number[1:])
        if drawn != number and drawn not in taken:
            return drawn
    return drawn if drawn != number else str((int(number[0]) + 1) % 10) + number[1:]
