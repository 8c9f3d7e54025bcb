"""Problems of the code world, from a seed: `stepalign.micro.code.spec` in words, with tests that really are run.

>>> problem = code_problems(CodeWorld(), count=1, seed=0)[0]
>>> print(problem.solution)                                # the other author's
```python
def f(n):
    tmp = 5
    step = 2
    while step <= n:
        if 5 <= step:
            tmp = tmp - 2 * step
        else:
            tmp = 7 + tmp
        step = 1 + step
    tmp = 6 + tmp
    return tmp
```
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from stepalign.core.errors import ConfigError
from stepalign.core.problem import Problem, Tests
from stepalign.core.program import render_program
from stepalign.micro.code.spec import COMPARISONS, Guard, Sign, Spec, Update
from stepalign.micro.code.wording import Style, program_lines, word_line

CODE_SOLVER_DIR = Path(__file__).parents[1] / "shipped" / "code_solver"
MOST_CHANCES = 6  # a guard with another branch, and two statements behind the loop


@dataclass(frozen=True)
class CodeWorld:
    """Dials of the code world.

    Attributes:
        min_chances, max_chances: parts of a program that are easily got wrong, 2 to 6.
        foreign: 0 to 1; probability at each place of a reference solution that it is worded as another author does.
    """

    min_chances: int = 3
    max_chances: int = 5
    foreign: float = 1.0

    def __post_init__(self) -> None:
        if not 2 <= self.min_chances <= self.max_chances <= MOST_CHANCES:
            raise ConfigError(
                f"chances of the code world: got {self.min_chances} to {self.max_chances}; expected 2 <= min <= max <= "
                f"{MOST_CHANCES}."
            )
        if not 0 <= self.foreign <= 1:
            raise ConfigError(f"foreign: got {self.foreign}; expected a share between 0 and 1.")


def sample_spec(rng: random.Random, world: CodeWorld) -> Spec:
    """One function within the world's dials whose tests see each slip."""
    while True:
        wanted = rng.randint(world.min_chances, world.max_chances)
        has_guard, has_branch = rng.random() < 0.7, rng.random() < 0.5
        guard = Guard(rng.choice(tuple(COMPARISONS)), rng.randint(2, 7)) if has_guard else None
        otherwise = _update(rng) if guard and has_branch else None
        num_after = wanted - 2 - (guard is not None) - (otherwise is not None)
        if not 0 <= num_after <= 2:
            continue
        after = tuple(_update(rng) for _ in range(num_after))
        spec = Spec(rng.randint(0, 9), rng.randint(0, 2), _update(rng, 2, 5), guard, otherwise, after)
        if spec.shows_each_slip:
            return spec


def reference_solution(spec: Spec, rng: random.Random, foreign: float) -> str:
    """A right program by another author, in a fence."""
    style = Style(rng, foreign)
    return render_program([word_line(line, style) for line in program_lines(spec, style)])


def code_problems(world: CodeWorld, count: int, seed: int, prefix: str = "code") -> list[Problem]:
    """`count` different problems with reference solutions and tests; the same for the same world and seed.

    Turning `foreign` rewords the reference solutions and leaves the problems alone.

    Raises:
        ConfigError: so many different ones were not found.
    """
    rng = random.Random(f"stepalign code problems {seed}")
    specs: dict[str, Spec] = {}
    for _ in range(10 * count + 1000):
        if len(specs) == count:
            break
        spec = sample_spec(rng, world)
        specs.setdefault(spec.text, spec)
    if len(specs) < count:
        raise ConfigError(f"only {len(specs)} different problems of the code world were found; got {count} to make.")
    return [
        Problem(
            id=f"{prefix}-{i:04d}",
            problem=text,
            solution=reference_solution(spec, random.Random(f"stepalign code reference {seed} {i}"), world.foreign),
            meta={"num_chances": len(spec.chances)},
            tests=Tests(check=_check(spec), entry_point="f"),
        )
        for i, (text, spec) in enumerate(specs.items())
    ]


def _check(spec: Spec) -> str:
    loop = f"    for n, expected in enumerate({spec.values()}):\n        assert candidate(n) == expected"
    return f"def check(candidate):\n{loop}"


def _update(rng: random.Random, low: int = 2, high: int = 9) -> Update:
    signs: tuple[Sign, Sign] = ("+", "-")
    return Update(rng.choice(signs), rng.randint(low, high))
