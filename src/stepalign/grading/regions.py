r"""Sets of real numbers: intervals, unions, complements and the conditions that say the same.

A region is a sorted list of half-open stretches between cuts. The cut (a, 0) lies just before a and (a, 1) just behind
it, so that [a, b) runs from (a, 0) to (b, 0), and union, intersection and complement need no other cases.

    >>> from stepalign.grading.parser import parse
    >>> region(parse("x<2 or x>3")) == region(parse(r"(-\infty,2)\cup(3,\infty)"))
    True
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce

from stepalign.grading.tokens import NoFormula
from stepalign.grading.tree import Node, names
from stepalign.grading.values import Undefined, number_value

Cut = tuple[Fraction | float, int]
Region = tuple[tuple[Cut, Cut], ...]
_LOWEST, _HIGHEST = (float("-inf"), 0), (float("inf"), 1)
_REALS: Region = ((_LOWEST, _HIGHEST),)
_FLIPPED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le", "=": "=", r"\ne": r"\ne"}


def region(node: Node) -> Region | None:
    """The set of reals that a tree describes, None where it describes none with numbers for bounds."""
    try:
        return _region(node)
    except (NoFormula, Undefined):
        return None


def _region(node: Node) -> Region:
    if node.op == "set" and node.name in ("R", "emptyset"):
        return _REALS if node.name == "R" else ()
    if node.op == "list" and node.marks == (r"\{", r"\}"):
        return _union([_point(_bound(item)) for item in node.args])
    if node.op == "list" and len(node.args) == 2 and node.marks in (("(", ")"), ("[", "]"), ("(", "]"), ("[", ")")):
        low, high = (_bound(item) for item in node.args)
        if low >= high:
            raise NoFormula("a point and no interval")
        return _stretch((low, int(node.marks[0] == "(")), (high, int(node.marks[1] == "]")))
    if node.op in ("cup", "or"):
        return _union([_region(arg) for arg in node.args])
    if node.op in ("cap", "and"):
        parts = [_region(arg) for arg in node.args]
        both = reduce(_intersection, parts)
        return both if both or node.marks != (",",) else _union(parts)  # "x<1, x>2" can only mean "or"
    if node.op == "setminus":
        return reduce(lambda a, b: _intersection(a, _complement(b)), (_region(arg) for arg in node.args))
    if node.op == "chain":
        return _condition(node)
    raise NoFormula("no region")


def _condition(node: Node) -> Region:
    r"""What `2 < x \le 3` or `x \in [1, 2)` says of x."""
    if node.marks in ((r"\in",), (r"\notin",)) and node.args[0].op == "symbol":
        inside = _region(node.args[1])
        return inside if node.marks == (r"\in",) else _complement(inside)
    result = _REALS
    for left, right, relation in zip(node.args, node.args[1:], node.marks, strict=False):
        if left.op == "symbol" and relation in _FLIPPED:
            result = _intersection(result, _half(relation, _bound(right)))
        elif right.op == "symbol" and relation in _FLIPPED:
            result = _intersection(result, _half(_FLIPPED[relation], _bound(left)))
        elif left.op == "abs" and left.args[0].op == "symbol" and relation in _FLIPPED:
            sides = [_half(relation, _bound(right)), _half(_FLIPPED[relation], -_bound(right))]
            within = relation in ("<", r"\le", r"\ne")
            result = _intersection(result, reduce(_intersection, sides) if within else _union(sides))
        else:
            raise NoFormula("no condition on a symbol")
    return result


def _half(relation: str, bound: Fraction | float) -> Region:
    """The reals x with `x relation bound`."""
    if relation in ("<", r"\le"):
        return _stretch(_LOWEST, (bound, int(relation != "<")))
    if relation in (">", r"\ge"):
        return _stretch((bound, int(relation == ">")), _HIGHEST)
    return _point(bound) if relation == "=" else _complement(_point(bound))


def _bound(node: Node) -> Fraction | float:
    if node == Node("constant", name="infty"):
        return float("inf")
    if node == Node("-", (Node("constant", name="infty"),)):
        return float("-inf")
    if names(node):
        raise NoFormula("a bound with symbols")
    value = number_value(node)
    if isinstance(value, complex):
        raise Undefined("no order")
    return value


def _point(at: Fraction | float) -> Region:
    return (((at, 0), (at, 1)),)


def _stretch(low: Cut, high: Cut) -> Region:
    low, high = max(low, _LOWEST), min(high, _HIGHEST)
    low = _LOWEST if low[0] == _LOWEST[0] else low  # an infinite end is open however its bracket is drawn
    high = _HIGHEST if high[0] == _HIGHEST[0] else high
    return ((low, high),) if low < high else ()


def _union(regions: Sequence[Region]) -> Region:
    merged: list[tuple[Cut, Cut]] = []
    for low, high in sorted(stretch for one in regions for stretch in one):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _intersection(a: Region, b: Region) -> Region:
    return _union([_stretch(max(l1, l2), min(h1, h2)) for l1, h1 in a for l2, h2 in b])


def _complement(a: Region) -> Region:
    lows = [_LOWEST, *(high for _, high in a)]
    highs = [*(low for low, _ in a), _HIGHEST]
    return _union([_stretch(low, high) for low, high in zip(lows, highs, strict=True)])
