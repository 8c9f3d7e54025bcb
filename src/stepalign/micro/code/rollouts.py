"""Programs as the code world's solver writes them, from a seed and without a model, with every kind of slip in them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from stepalign.core.problem import Problem
from stepalign.core.program import render_program
from stepalign.core.rollout import Rollout
from stepalign.micro.code.spec import SLIPS, Spec, parse_spec
from stepalign.micro.code.wording import Line, Style, program_lines, word_line

WRONG = 0.75  # share of labelled rollouts with a wrong line
BLOCKS = ("for", "while", "if", "else")


def solver_program(
    spec: Spec, style: Style, slip: Callable[[], bool], no_colon: Callable[[], bool] = lambda: False
) -> list[str]:
    """The lines of a program; `slip` is asked at each chance, `no_colon` at each line that opens a block."""
    lines = [slipped(line) if is_chance(line) and slip() else line for line in program_lines(spec, style)]
    return [_opened(word_line(line, style), line, no_colon) for line in lines]


def is_chance(line: Line) -> bool:
    """Whether the solver may get this line wrong: ends of loops, comparisons, updates of what is returned (those of a
    `while` loop's variable add 1, which no other update does)."""
    return line.kind in ("for", "while", "if") or (line.kind == "update" and line.detail != ("+", 1))


def slipped(line: Line) -> Line:
    """The line with its slip: an end too early, a comparison too strict or not enough, the other sign."""
    if line.kind == "for":
        return line._replace(detail=(line.detail[0], "n"))
    if line.kind in ("while", "if"):
        return line._replace(detail=(SLIPS[str(line.detail[0])], *line.detail[1:]))
    return line._replace(detail=("-" if line.detail[0] == "+" else "+", *line.detail[1:]))


def labelled_programs(problems: Sequence[Problem], seed: int) -> list[tuple[Rollout, int | None]]:
    """One a problem, in the solver's words, with its first wrong line (from 1): known because it was made.

    At most one line is wrong; in about one of four rollouts none is, which gives None.
    """
    rng = random.Random(f"stepalign labelled programs {seed}")
    return [_labelled(problem, rng) for problem in problems]


def _labelled(problem: Problem, rng: random.Random) -> tuple[Rollout, int | None]:
    style = Style(rng)
    lines = program_lines(parse_spec(problem.problem), style)
    chances = [k for k, line in enumerate(lines) if is_chance(line)]
    wrong = rng.choice(chances) if rng.random() < WRONG else None
    texts = [word_line(slipped(line) if k == wrong else line, style) for k, line in enumerate(lines)]
    return Rollout(problem, 0, render_program(texts)), None if wrong is None else wrong + 1


def _opened(text: str, line: Line, no_colon: Callable[[], bool]) -> str:
    return text[:-1] if line.kind in BLOCKS and no_colon() else text
