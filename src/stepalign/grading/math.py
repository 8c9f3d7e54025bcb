r"""Whether two answers are mathematically equal. Runs in the worker only: some inputs never return.

Both answers are parsed into trees (parser.py) and compared by what they are: formulas (equality.py), sets of reals
(regions.py), lists, relations, ratios, matrices. What equality means is in docs/grading.md.

    >>> compare(r"\frac{1}{2}", "2^{-1}")
    <Outcome.CORRECT: 'correct'>
"""

from __future__ import annotations

import re
from fractions import Fraction

from stepalign.core.rollout import Outcome
from stepalign.grading.equality import with_imaginary_unit
from stepalign.grading.parser import parse
from stepalign.grading.sameness import same
from stepalign.grading.spelling import normalize
from stepalign.grading.tokens import NoFormula, readings
from stepalign.grading.tree import Node, names, number
from stepalign.grading.units import Unit, conversion, split_unit


def compare(gold: str, answer: str) -> Outcome:
    """Correct or wrong; unparseable where one of the two is no formula or the true answer has no value."""
    gold, answer = normalize(gold), normalize(answer)
    if not gold or not answer:
        return Outcome.UNPARSEABLE
    if _tight(gold) == _tight(answer):
        return Outcome.CORRECT
    outcome = Outcome.UNPARSEABLE
    for a, b in _pairs(gold, answer):
        try:
            if same(*with_imaginary_unit(a, b)):
                return Outcome.CORRECT
            outcome = Outcome.WRONG
        except MemoryError:
            raise  # the worker's to answer: this process is no longer to be trusted
        except Exception:  # no formula, no value, or a value that the comparison has no case for
            continue
    return outcome


def _pairs(gold: str, answer: str) -> list[tuple[Node, Node]]:
    """The readings of both answers that are compared, with their units as written and then without them."""
    golds, answers = _trees(gold), _trees(answer)
    pairs = [(a, b) for a in golds for b in answers]
    gold_body, gold_unit = _split(gold, gold=True)
    body, unit = _split(answer, gold=False)
    if gold_unit is None and unit is None:
        return pairs
    ratio = conversion(gold_unit, unit)
    if ratio is None:
        return pairs
    return pairs + [(a, _times(ratio, b)) for a in _trees(gold_body) for b in _trees(body)]


def _trees(text: str) -> list[Node]:
    """The trees of a text: one for each reading of its commas and of functions without brackets."""
    trees: list[Node] = []
    for reading in readings(text):
        for greedy in (True, False):
            try:
                tree = parse(reading, greedy=greedy)
            except NoFormula:
                continue
            if tree not in trees:
                trees.append(tree)
    return trees


def _split(text: str, *, gold: bool) -> tuple[str, Unit | None]:
    """A text without its unit; beside symbols a unit must be upright."""
    body, unit = split_unit(text, gold=gold)
    if unit and any(names(tree) for tree in _trees(body)):
        return split_unit(text, gold=gold, italic=False)
    return body, unit


def _times(ratio: Fraction, node: Node) -> Node:
    return node if ratio == 1 else Node("*", (number(ratio), node))


def _tight(text: str) -> str:
    """The text without the spaces and braces that part nothing."""
    text = re.sub(r"\s*([^\w\s])\s*", r"\1", text.replace('"', ""))
    return re.sub(r"([_^])\{(\w|\\[A-Za-z]+)\}", r"\1\2", text)
