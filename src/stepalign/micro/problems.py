"""Problems of the micro world: chained arithmetic with a chosen number of steps and carries, from a seed.

    >>> make_problems(World(), count=1, seed=0)[0].problem
    'Start with 68. Add 258. Add 175.'

The dials of the world are how long and how hard problems are, and how foreign the reference solutions are: `foreign`
is the share of words taken from another author, `condensed` the share of steps without their working.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

from stepalign.core.errors import ConfigError, DataError
from stepalign.core.problem import Problem
from stepalign.core.trace import render_steps
from stepalign.micro.arithmetic import Op, columns, compute, num_carries
from stepalign.micro.wording import Style, word_step

SOLVER_DIR = Path(__file__).parent / "shipped" / "solver"
CRITIC_DIR = SOLVER_DIR.parent / "critic"
VERBS: dict[Op, str] = {"+": "Add", "-": "Minus", "*": "Times"}
LIMIT = 999
_OPERATION = re.compile(r"(Add|Minus|Times) (\d+)\.")


@dataclass(frozen=True)
class World:
    """Dials of the micro world.

    Attributes:
        min_steps, max_steps: operations a problem has.
        min_carries, max_carries: carries and borrows in all its steps together; each is a chance to go wrong.
        foreign: 0 to 1; share of words in a reference solution that are another author's.
        condensed: 0 to 1; share of steps in a reference solution that give the result without its working.
    """

    min_steps: int = 2
    max_steps: int = 3
    min_carries: int = 3
    max_carries: int = 5
    foreign: float = 1.0
    condensed: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.min_steps <= self.max_steps <= 6:
            raise ConfigError(f"micro steps: got {self.min_steps} to {self.max_steps}; expected 1 <= min <= max <= 6.")
        if not 0 <= self.min_carries <= self.max_carries <= 2 * self.max_steps:
            raise ConfigError(
                f"micro carries: got {self.min_carries} to {self.max_carries}; expected 0 <= min <= max <= "
                f"{2 * self.max_steps}, twice the largest number of steps."
            )
        for name in ("foreign", "condensed"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"micro {name}: got {getattr(self, name)}; expected a share between 0 and 1.")


@dataclass(frozen=True)
class Chain:
    """What a problem asks: a start and operations on it."""

    start: int
    operations: tuple[tuple[Op, int], ...]

    @property
    def values(self) -> list[int]:
        """The value after each operation."""
        values: list[int] = []
        value = self.start
        for op, operand in self.operations:
            value = compute(value, op, operand)
            values.append(value)
        return values

    @property
    def before(self) -> list[int]:
        """The value before each operation."""
        return [self.start, *self.values[:-1]]

    @property
    def carries(self) -> int:
        """Carries and borrows in all its steps together."""
        return sum(num_carries(v, op, n) for v, (op, n) in zip(self.before, self.operations, strict=True))

    @property
    def text(self) -> str:
        """The problem in words, which `parse_problem` reads back."""
        return " ".join([f"Start with {self.start}.", *(f"{VERBS[op]} {n}." for op, n in self.operations)])


def parse_problem(text: str) -> Chain:
    """Read a chain back from its text.

    Raises:
        DataError: the text is no problem of the micro world.
    """
    start = re.match(r"Start with (\d+)\.", text)
    operations = _OPERATION.findall(text)
    if start is None or not operations:
        raise DataError(f"not a micro problem: {text[:60]!r}; expected 'Start with N. Add N. Times N. …'.")
    signs: dict[str, Op] = {verb: op for op, verb in VERBS.items()}
    return Chain(int(start[1]), tuple((signs[verb], int(n)) for verb, n in operations))


def sample_chain(rng: random.Random, world: World) -> Chain:
    """One chain whose steps and carries are within the world's dials (rejection sampling).

    Raises:
        ConfigError: no such chain was found.
    """
    for _ in range(100):
        steps = rng.randint(world.min_steps, world.max_steps)
        wanted = rng.randint(world.min_carries, world.max_carries)
        for _ in range(200):
            chain = _random_chain(rng, steps)
            if chain is not None and chain.carries == wanted:
                return chain
    raise ConfigError(
        f"no micro problem with {world.min_steps} to {world.max_steps} steps and {world.min_carries} to "
        f"{world.max_carries} carries was found in 20,000 tries. Ask for fewer carries or more steps."
    )


def _random_chain(rng: random.Random, steps: int) -> Chain | None:
    start = value = rng.randint(12, 99)
    operations: list[tuple[Op, int]] = []
    for _ in range(steps):
        options: list[Op] = ["+", "-"]
        if value * 2 <= LIMIT and (not operations or operations[-1][0] != "*"):
            options.append("*")
        op = rng.choice(options)
        if op == "*":
            operand = rng.randint(2, min(9, LIMIT // value))
        elif op == "+":
            operand = rng.randint(12, 299)
        else:
            if value < 24:
                return None
            operand = rng.randint(12, min(299, value - 1))
        value = compute(value, op, operand)
        if not 10 <= value <= LIMIT:
            return None
        operations.append((op, operand))
    return Chain(start, tuple(operations))


def reference_solution(chain: Chain, rng: random.Random, foreign: float, condensed: float) -> str:
    """A correct solution by another author: their words, and some steps without their working."""
    style = Style(rng, foreign)
    steps: list[str] = []
    for value, (op, operand), after in zip(chain.before, chain.operations, chain.values, strict=True):
        work = None if rng.random() < condensed else columns(value, op, operand)
        steps.append(word_step(op, operand, work, after, style))
    return render_steps(steps, str(chain.values[-1]))


def make_problems(world: World, count: int, seed: int, prefix: str = "micro") -> list[Problem]:
    """`count` different problems with reference solutions; the same for the same world and seed.

    The problems themselves depend on steps, carries and seed only: turning `foreign` or `condensed` rewords the
    reference solutions and leaves the problems alone.
    """
    rng = random.Random(f"stepalign micro problems {seed}")
    chains: dict[str, Chain] = {}
    tries = 0
    while len(chains) < count:
        chain = sample_chain(rng, world)
        chains.setdefault(chain.text, chain)
        tries += 1
        if tries > 10 * count + 1000:
            raise ConfigError(
                f"only {len(chains)} different micro problems were found; got {count} to make. Ask for fewer."
            )
    problems: list[Problem] = []
    for i, (text, chain) in enumerate(chains.items()):
        author = random.Random(f"stepalign micro reference {seed} {i}")
        problems.append(
            Problem(
                id=f"{prefix}-{i:04d}",
                problem=text,
                answer=str(chain.values[-1]),
                solution=reference_solution(chain, author, world.foreign, world.condensed),
                meta={"num_steps": len(chain.operations), "num_carries": chain.carries},
            )
        )
    return problems
