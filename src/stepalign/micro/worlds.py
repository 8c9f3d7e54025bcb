"""The two constructed worlds, of arithmetic and of code, where something is done with either.

>>> splits = split_problems(CodeWorld(), {"train": 2, "test": 1}, seed=0)
>>> [problem.id for problem in splits["test"]]
['code-0002']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from stepalign.core.errors import ConfigError
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.micro.code.problems import CodeWorld, code_problems
from stepalign.micro.code.rollouts import labelled_programs
from stepalign.micro.problems import World, make_problems
from stepalign.micro.rollouts import labelled_rollouts

ARITHMETIC, CODE = "arithmetic", "code"


def make_world(
    name: str, *, min_steps: int, max_steps: int, min_carries: int, max_carries: int, foreign: float, condensed: float
) -> World | CodeWorld:
    """A world with its dials; in that of code the carries are its chances to slip, and the other dials but `foreign`
    mean nothing.

    Raises:
        ConfigError: a dial that is out of range.
    """
    if name == CODE:
        return CodeWorld(min_carries, max_carries, foreign)
    return World(min_steps, max_steps, min_carries, max_carries, foreign, condensed)


def split_problems(world: World | CodeWorld, counts: Mapping[str, int], seed: int) -> dict[str, list[Problem]]:
    """Problems for each split, all different from each other, in the order of `counts`.

    Raises:
        ConfigError: a negative count, or so many different problems are not found.
    """
    for name, count in counts.items():
        if count < 0:
            raise ConfigError(f"micro {name} problems: got {count}; expected 0 or more.")
    total = sum(counts.values())
    made = code_problems(world, total, seed) if isinstance(world, CodeWorld) else make_problems(world, total, seed)
    problems = iter(made)
    return {name: list(islice(problems, count)) for name, count in counts.items()}


def labelled(problems: Sequence[Problem], seed: int) -> list[tuple[Rollout, int | None]]:
    """A made rollout of each problem, in the solver's words, with its first wrong step; None where none is wrong."""
    is_code = any(problem.tests is not None for problem in problems)
    return (labelled_programs if is_code else labelled_rollouts)(problems, seed)
