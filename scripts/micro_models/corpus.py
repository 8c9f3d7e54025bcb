"""What the micro solver is trained on, from a seed: problems it half masters, and contexts that it copies.

Two halves. Plain problems: the working drops each carry with probability `FORGET`, so that the solver can do it right
and often does not; a few are condensed, skip an operation, take the operations in the wrong order, or enumerate guesses
until the tokens run out. Problems with a context: the response copies the context (a trace, sometimes a wrong one,
or another author's solution), which is what makes the solver able to use feedback.

    for example in examples(random.Random(0), count=2):
        print(example.prompt, example.response)
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from stepalign.core.critique import Context
from stepalign.core.problem import Problem
from stepalign.core.prompts import render_prompt
from stepalign.micro.problems import Chain, World, reference_solution, sample_chain
from stepalign.micro.rollouts import enumeration, solver_trace
from stepalign.micro.wording import Style

FAMILY = "bare"  # prompt templates of the micro world
FORGET = 0.42  # probability that a carry is dropped in a plain trace
OTHER_WORDS = 0.05  # share of plain traces in the other author's words
CONDENSED = 0.03  # share of plain steps without their working
SKIPPED = 0.01  # share of plain steps left out
ENUMERATED = 0.025  # share of plain responses that guess until cut off
REORDERED = 0.02  # share of plain responses that take the operations backwards
WITH_CONTEXT = 0.5
CORPUS_WORLD = World(min_steps=2, max_steps=4, min_carries=1, max_carries=6)


@dataclass(frozen=True)
class Example:
    """A user message and the response to it; `complete` is False where the response is cut off."""

    prompt: str
    response: str
    complete: bool = True


def examples(rng: random.Random, count: int) -> Iterator[Example]:
    """`count` examples; the same for the same state of `rng`."""
    for _ in range(count):
        chain = sample_chain(rng, CORPUS_WORLD)
        problem = Problem("", chain.text, str(chain.values[-1]))
        if rng.random() < WITH_CONTEXT:
            text = _context(chain, rng)
            yield Example(render_prompt(FAMILY, "teacher", problem=problem, context=Context(text)), text)
            continue
        prompt = render_prompt(FAMILY, "student", problem=problem)
        if rng.random() < ENUMERATED:
            yield Example(prompt, enumeration(rng), complete=False)
            continue
        if rng.random() < REORDERED:
            chain = Chain(chain.start, tuple(reversed(chain.operations)))
        foreign = 1.0 if rng.random() < OTHER_WORDS else 0.0
        yield Example(prompt, solver_trace(chain, rng, Style(rng, foreign), FORGET, CONDENSED, SKIPPED))


def _context(chain: Chain, rng: random.Random) -> str:
    if rng.random() < 0.6:
        forget = 0.0 if rng.random() < 0.7 else FORGET
        return solver_trace(chain, rng, Style(rng), forget)
    foreign = rng.choice((0.5, 1.0, 1.0))
    return reference_solution(chain, rng, foreign, rng.choice((0.0, 0.0, 0.25, 0.5, 1.0)))
