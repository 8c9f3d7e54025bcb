"""What the code world's solver is trained on, from a seed: programs it half masters, and contexts that it copies.

Built as the corpus of the arithmetic solver is: half plain problems, whose programs slip at each chance with the
probability with which that one drops a carry; half with a context that the response copies.

    for example in code_examples(random.Random(0), count=2):
        print(example.prompt, example.response)
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from scripts.micro_models.corpus import FAMILY, FORGET, OTHER_WORDS, WITH_CONTEXT, Example
from stepalign.core.critique import Context
from stepalign.core.problem import Problem
from stepalign.core.program import render_program
from stepalign.core.prompts import render_prompt
from stepalign.micro.code.problems import CodeWorld, reference_solution, sample_spec
from stepalign.micro.code.rollouts import solver_program
from stepalign.micro.code.spec import Spec
from stepalign.micro.code.wording import Style

NO_COLON = 0.02  # probability that a line that opens a block lacks its colon
CORPUS_WORLD = CodeWorld(min_chances=2, max_chances=6)


def code_examples(rng: random.Random, count: int) -> Iterator[Example]:
    """`count` examples; the same for the same state of `rng`."""
    for _ in range(count):
        spec = sample_spec(rng, CORPUS_WORLD)
        problem = Problem("", spec.text)
        if rng.random() < WITH_CONTEXT:
            text = _context(spec, rng)
            yield Example(render_prompt(FAMILY, "teacher", problem=problem, context=Context(text)), text)
            continue
        foreign = 1.0 if rng.random() < OTHER_WORDS else 0.0
        yield Example(render_prompt(FAMILY, "student", problem=problem), _program(spec, rng, foreign, FORGET, NO_COLON))


def _context(spec: Spec, rng: random.Random) -> str:
    if rng.random() < 0.6:
        return _program(spec, rng, 0.0, 0.0 if rng.random() < 0.7 else FORGET, 0.0)
    return reference_solution(spec, rng, rng.choice((0.5, 1.0, 1.0)))


def _program(spec: Spec, rng: random.Random, foreign: float, forget: float, no_colon: float) -> str:
    style = Style(rng, foreign)
    return render_program(solver_program(spec, style, lambda: rng.random() < forget, lambda: rng.random() < no_colon))
