"""How an author words a step: each slot has several words, sampled freely; the working itself is the same for all.

    Now add 38: 7+8=15 carry 1; 4+3+1=8. So 85.
    ^lead ^op           ^carry   ^separator  ^result

The solver and the other author of reference solutions have words of their own for each slot. `parse_step` reads a step
back whoever worded it; that is what makes the critic exact.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stepalign.micro.arithmetic import Column, Op

Words = Mapping[str, Sequence[str]]

SOLVER: Words = {
    "lead": ("Now", "Next", "Then", "First"),
    "+": ("add", "plus", "put on"),
    "-": ("minus", "take away", "subtract"),
    "*": ("times", "multiply by", "scale by"),
    "carry": ("carry", "keep", "hold"),
    "separator": (";", ","),
    "result": ("So", "That makes", "We get", "Giving"),
}
OTHER_AUTHOR: Words = {
    "lead": ("Observe", "Consider", "Hence"),
    "+": ("augment by", "increase by"),
    "-": ("diminish by", "reduce by"),
    "*": ("magnify by", "repeat by"),
    "carry": ("transfer", "bring"),
    "separator": (" |", " /"),
    "result": ("Whence", "Resulting in", "Yielding"),
}


def _any(*slots: str) -> str:
    words = [word for slot in slots for author in (SOLVER, OTHER_AUTHOR) for word in author[slot]]
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_STEP = re.compile(
    rf"(?P<lead>{_any('lead')}) (?P<op>{_any('+', '-', '*')}) (?P<operand>\d+)"
    rf"(?:: (?P<work>.*?))?\. (?P<result>{_any('result')}) (?P<value>\d+)\."
)
_COLUMN = re.compile(
    rf"(?P<expression>[\d+*-]+)=(?P<value>\d+)(?: (?P<carry>{_any('carry')}) (?P<amount>\d+))?"
    rf"(?:(?P<separator>{_any('separator')}) |$)"
)


@dataclass(frozen=True)
class WorkedStep:
    """A step as read: `work` is None where the step is condensed to its result. `words` are the author's, per slot."""

    op: Op
    operand: int
    work: tuple[Column, ...] | None
    value: int
    words: Mapping[str, str]


class Style:
    """Chooses the word for each slot: `fixed` ones first, else the other author's with probability `foreign`."""

    def __init__(self, rng: random.Random, foreign: float = 0.0, fixed: Mapping[str, str] | None = None):
        self.rng, self.foreign, self.fixed = rng, foreign, dict(fixed or {})

    def word(self, slot: str) -> str:
        """A word for the slot."""
        if slot in self.fixed:
            return self.fixed[slot]
        author = OTHER_AUTHOR if self.rng.random() < self.foreign else SOLVER
        return self.rng.choice(author[slot])


def word_step(op: Op, operand: int, work: Sequence[Column] | None, value: int, style: Style) -> str:
    """One step in words; without `work` it is condensed to operand and value."""
    text = f"{style.word('lead')} {style.word(op)} {operand}"
    if work is not None:
        parts: list[str] = []
        for i, column in enumerate(work):
            part = f"{column.expression}={column.value}"
            if column.carry:
                part += f" {style.word('carry')} {column.carry}"
            parts.append(part + (style.word("separator") if i < len(work) - 1 else ""))
        text += ": " + " ".join(parts)
    return f"{text}. {style.word('result')} {value}."


def parse_step(text: str) -> WorkedStep | None:
    """Read a step back; None where it is not of this world (an enumeration, a step cut off)."""
    match = _STEP.fullmatch(text.strip())
    if match is None:
        return None
    ops: tuple[Op, ...] = ("+", "-", "*")
    op: Op = next(op for op in ops if match["op"] in (*SOLVER[op], *OTHER_AUTHOR[op]))
    words = {"lead": match["lead"], op: match["op"], "result": match["result"]}
    work: list[Column] | None = None
    if match["work"] is not None:
        work, at = [], 0
        while at < len(match["work"]):
            column = _COLUMN.match(match["work"], at)
            if column is None:
                return None
            work.append(Column(column["expression"], int(column["value"]), int(column["amount"] or 0)))
            words.update({slot: column[slot] for slot in ("carry", "separator") if column[slot]})
            at = column.end()
    return WorkedStep(op, int(match["operand"]), None if work is None else tuple(work), int(match["value"]), words)
