r"""Whether two formulas are equal: exactly, as they are stated, at points drawn at random.

- Without symbols the values are compared: exact ones exactly (values.py), decimals as precisely as they are stated
  (numbers.py).
- With symbols, at points with positive coordinates first and then with signs mixed, so that |x| is not x. Where one of
  the two is undefined or not real the point says nothing; where all are, the complex values decide.
- `i` is the imaginary unit, unless the true answer has `j` beside it: then both are symbols. `j` is the imaginary unit
  where the true answer has it alone, or has `i` and the answer has `j` in its place.
- A number with a base is its digits and its base; base 10 is none.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from stepalign.grading.numbers import Number, is_close
from stepalign.grading.tree import Node, has_constant, names, number
from stepalign.grading.values import Undefined, number_value, same_value

_AGREEMENTS = 3
_DRAWS = 16


def with_imaginary_unit(gold: Node, answer: Node) -> tuple[Node, Node]:
    """Both formulas with `i` and `j` as what they are (see the module)."""
    has_i, has_j = has_constant(gold, "i"), "j" in names(gold)
    if has_i and has_j:
        return _replaced(gold, _I, _symbol("i")), _replaced(answer, _I, _symbol("i"))
    if has_j or (has_i and "j" in names(answer) and not has_constant(answer, "i")):
        return _replaced(gold, _symbol("j"), _I), _replaced(answer, _symbol("j"), _I)
    return gold, answer


def equal_formulas(gold: Node, answer: Node) -> bool:
    """Whether two scalars are equal.

    Raises:
        Undefined: the true answer has no value.
    """
    if gold == answer:
        return True
    if "based" in (gold.op, answer.op):
        return _based(gold) == _based(answer) is not None
    if gold.op == "percent" or answer.op == "percent":
        return _equal_shares(gold, answer)
    symbols = names(gold) | names(answer)
    return equal_at_points(gold, answer) if symbols else _equal_numbers(gold, answer)


def equal_at_points(gold: Node, answer: Node) -> bool:
    """Whether two formulas agree wherever both have a value."""
    symbols = sorted(names(gold) | names(answer))
    real = not has_constant(gold, "i") and not has_constant(answer, "i")
    agreements = 0
    for point in _points(symbols, mixed=False):
        verdict = _agree(gold, answer, point, real=real)
        if verdict is False:
            return False
        agreements += verdict is True
        if agreements == _AGREEMENTS:
            return not real or all(
                _agree(gold, answer, p, real=True) is not False for p in _points(symbols, mixed=True)
            )
    if not real:
        return False
    verdicts = [_agree(gold, answer, point, real=False) for point in _points(symbols, mixed=False)][:_AGREEMENTS]
    return all(verdict is True for verdict in verdicts)


_I = Node("constant", name="i")


def _symbol(name: str) -> Node:
    return Node("symbol", name=name)


def _replaced(node: Node, old: Node, new: Node) -> Node:
    if node == old:
        return new
    return replace(node, args=tuple(_replaced(arg, old, new) for arg in node.args))


def _based(node: Node) -> tuple[str, str] | None:
    """Digits and base of a number."""
    if node.op == "based":
        return node.marks[0].upper(), node.marks[1]
    if node.number is not None and node.number.place is None:
        return str(node.number.value), "10"
    return None


def _equal_shares(gold: Node, answer: Node) -> bool:
    a, b = (node.args[0] if node.op == "percent" else node for node in (gold, answer))
    return equal_formulas(a, b) or (gold.op != answer.op and equal_formulas(_evaluated(gold), _evaluated(answer)))


def _evaluated(node: Node) -> Node:
    return Node("/", (node.args[0], number(100))) if node.op == "percent" else node


def _equal_numbers(gold: Node, answer: Node) -> bool:
    a = number_value(gold)
    try:
        b = number_value(answer)
    except Undefined:
        return False
    stated, got = _stated(gold), _stated(answer)
    if stated is None and got is None:
        return same_value(gold, answer, {}, real=False)
    if not isinstance(a, Fraction) or not isinstance(b, Fraction):
        return abs(complex(a) - complex(b)) <= 5e-7 * min(1, 10 * abs(a))
    return is_close((stated or Number(a))._replace(value=a), (got or Number(b))._replace(value=b))


def _stated(node: Node) -> Number | None:
    """How precisely a formula is stated, None if it is exact: as its decimals, if it is one decimal; else roughly."""
    if node.op == "-" and node.args[0].op == "number":
        node = node.args[0]
    decimals = [part.number for part in node.walk() if part.number is not None and part.number.place is not None]
    if not decimals:
        return None
    return decimals[0] if node.op == "number" else decimals[0]._replace(digits=1)


def _agree(gold: Node, answer: Node, point: dict[str, Fraction], *, real: bool) -> bool | None:
    """Whether two formulas have the same value at a point; None where one has none."""
    try:
        return same_value(gold, answer, point, real=real)
    except Undefined:
        return None


def _points(symbols: list[str], *, mixed: bool) -> Iterator[dict[str, Fraction]]:
    """Points drawn at random, the same ones for the same symbols."""
    draw = random.Random(len(symbols) + mixed)
    for i in range(_DRAWS if not mixed else _DRAWS // 2):
        largest = 3001 if i % 2 else 900  # half of the points between 0 and 1, for inverse sines and the like
        signs = (-1, 1) if mixed else (1,)
        yield {symbol: Fraction(draw.randint(100, largest), 997) * draw.choice(signs) for symbol in symbols}
