r"""The value of a formula at a point: exact where it is rational, else to any number of digits.

Two formulas are equal when they have equal values at points drawn at random: a rational value is an exact fraction, and
any other is worked out to more digits than its parts could hide. A first pass adds up the decimal magnitudes of all
intermediate values (2^{-99} is 30 digits small, so a sum in which it stands needs 30 digits more), and the second works
with that many digits beyond the 40 that must agree. Nothing is rounded to zero.

    >>> from stepalign.grading.parser import parse
    >>> same_value(parse("2^{-99}"), parse("2^{-98}"), {}, real=True)
    False
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction

from mpmath import mp, mpc, mpf
from mpmath.libmp import to_rational

from stepalign.grading.tokens import NoFormula
from stepalign.grading.tree import Node

AGREEING_DIGITS = 40
Value = Fraction | mpf | mpc
Point = Mapping[str, Fraction]


class Undefined(Exception):
    """The formula has no value at the point, or none that is real where it must be."""


def same_value(gold: Node, answer: Node, point: Point, *, real: bool) -> bool:
    """Whether two formulas have the same value at a point.

    Raises:
        Undefined: one has none.
    """
    with mp.workdps(30):
        probes = [_Evaluation(point, real=real), _Evaluation(point, real=real)]
        values = [probe.value(node) for probe, node in zip(probes, (gold, answer), strict=True)]
    if all(isinstance(value, Fraction) for value in values):
        return values[0] == values[1]
    hidden = int(sum(probe.magnitude for probe in probes))
    with mp.workdps(2 * hidden + AGREEING_DIGITS + 20):
        a, b = (_Evaluation(point, real=real).value(node) for node in (gold, answer))
        return bool(abs(_inexact(a) - _inexact(b)) < mpf(10) ** -(hidden + AGREEING_DIGITS))


def number_value(node: Node) -> Fraction | complex:
    """The value of a formula without symbols: exact if it is rational, a fraction to 30 digits if it is real.

    Raises:
        Undefined: it has none.
    """
    with mp.workdps(30):
        value = _Evaluation({}, real=False).value(node)
        return complex(value) if isinstance(value, mpc) else _rational(value)


class _Evaluation:
    """One evaluation at a point, to the digits that mpmath is set to.

    `magnitude` adds up the decimal magnitudes of the values met on the way.
    """

    def __init__(self, point: Point, *, real: bool) -> None:
        self.point = point
        self.real = real
        self.magnitude = 0.0

    def value(self, node: Node) -> Value:
        """The value of a node, its magnitude added to the sum."""
        try:
            value = self._operate(node)
        except (ZeroDivisionError, ValueError, OverflowError) as error:
            raise Undefined(str(error)) from None
        if isinstance(value, mpc) and (self.real or value.imag == 0):
            if value.imag != 0:
                raise Undefined("not real")
            value = value.real
        self.magnitude += _magnitude(value)
        return value

    def _operate(self, node: Node) -> Value:
        if node.op == "number":
            assert node.number is not None
            return node.number.value
        if node.op == "constant":
            return self._constant(node.name)
        if node.op == "symbol":
            return self.point[node.name]
        if node.op == "based":
            digits, base = node.marks
            return Fraction(int(digits, int(base)))
        if node.op == "function":
            return self._function(node.name, node.args)
        operation = _OPERATIONS.get(node.op)
        if operation is None:
            raise NoFormula(f"{node.op} has no value")
        return operation(self, *(self.value(arg) for arg in node.args))

    def _constant(self, name: str) -> Value:
        if name == "i":
            if self.real:
                raise Undefined("not real")
            return mpc(0, 1)
        if name == "infty":
            raise Undefined("infinite")
        return +(mp.pi if name == "pi" else mp.e)

    def _function(self, name: str, args: tuple[Node, ...]) -> Value:
        values = [self._angle(arg) if name in _OF_ANGLES else self.value(arg) for arg in args]
        if name in _EXACT:
            if not all(isinstance(value, Fraction) for value in values):
                values = [_rational(value) for value in values]
            return _EXACT[name](*values)
        if name not in _FUNCTIONS:
            raise NoFormula(f"{name} has no value")
        if values == [0] and name in ("sin", "tan", "sinh", "tanh", "arcsin", "arctan"):
            return Fraction(0)
        if values == [0] and name in ("cos", "exp", "cosh", "sec"):
            return Fraction(1)
        return _FUNCTIONS[name](*(_inexact(value) for value in values))

    def _angle(self, node: Node) -> Value:
        """The argument of a trigonometric function, where degrees count."""
        degrees = any(part.op == "degrees" for part in node.walk())
        value = self.value(node)
        return _inexact(value) * mp.pi / 180 if degrees else value


def _inexact(value: Value) -> Value:
    return mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


def _rational(value: Value) -> Fraction:
    if isinstance(value, Fraction):
        return value
    if isinstance(value, mpc) or not mp.isfinite(value):
        raise Undefined("no order")
    return Fraction(*to_rational(value._mpf_))


def _whole(value: Fraction) -> int:
    if value.denominator != 1:
        raise Undefined("not whole")
    return value.numerator


def _magnitude(value: Value) -> float:
    if isinstance(value, Fraction):
        return abs(value.numerator.bit_length() - value.denominator.bit_length()) * math.log10(2)
    if not mp.isfinite(value):
        raise Undefined("infinite")
    return float(abs(mp.mag(value))) * math.log10(2) if value else 0.0


def _add(_: _Evaluation, *terms: Value) -> Value:
    if all(isinstance(term, Fraction) for term in terms):
        return sum(terms, Fraction(0))
    return mp.fsum(_inexact(term) for term in terms)


def _multiply(_: _Evaluation, a: Value, b: Value) -> Value:
    if (isinstance(a, Fraction) and a == 0) or (isinstance(b, Fraction) and b == 0):
        return Fraction(0)
    return a * b if isinstance(a, Fraction) and isinstance(b, Fraction) else _inexact(a) * _inexact(b)


def _divide(_: _Evaluation, a: Value, b: Value) -> Value:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a / b
    if isinstance(a, Fraction) and a == 0 and b != 0:
        return a
    return _inexact(a) / _inexact(b)


def _power(evaluation: _Evaluation, base: Value, exponent: Value) -> Value:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        return base ** int(exponent)
    if isinstance(exponent, Fraction) and exponent.denominator == 1:
        return _inexact(base) ** int(exponent)
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and base >= 0:
        exact = _exact_root(base, exponent.denominator)
        if exact is not None:
            return exact**exponent.numerator
    return mp.power(_inexact(base), _inexact(exponent))


def _root(evaluation: _Evaluation, radicand: Value, index: Value) -> Value:
    if not isinstance(index, Fraction) or index.denominator != 1:
        return mp.power(_inexact(radicand), 1 / _inexact(index))
    n = int(index)
    if isinstance(radicand, Fraction):
        odd = radicand < 0 and n % 2 == 1
        exact = _exact_root(abs(radicand), n) if odd or radicand >= 0 else None
        if exact is not None:
            return -exact if odd else exact
    value = _inexact(radicand)
    if n % 2 == 1 and not isinstance(value, mpc) and value < 0:
        return -mp.root(-value, n)  # the real root, as schools have it
    return mp.sqrt(value) if n == 2 else mp.root(value, n)


def _exact_root(value: Fraction, n: int) -> Fraction | None:
    """The nth root if it is rational."""
    if not 0 < n <= 64:
        return None
    parts = [_integer_root(part, n) for part in (value.numerator, value.denominator)]
    return Fraction(*parts) if None not in parts else None  # type: ignore[arg-type]


def _integer_root(value: int, n: int) -> int | None:
    if n == 2:
        root = math.isqrt(value)
    else:
        low, high = 0, 1 << (value.bit_length() // n + 1)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if middle**n <= value else (low, middle - 1)
        root = low
    return root if root**n == value else None


def _factorial(_: _Evaluation, value: Value) -> Value:
    if isinstance(value, Fraction) and value.denominator == 1 and value >= 0:
        return Fraction(math.factorial(int(value)))
    return mp.gamma(_inexact(value) + 1)


def _binomial(_: _Evaluation, n: Value, k: Value) -> Value:
    if all(isinstance(v, Fraction) and v.denominator == 1 and v >= 0 for v in (n, k)):
        return Fraction(math.comb(int(n), int(k)))  # type: ignore[arg-type]
    return mp.binomial(_inexact(n), _inexact(k))


def _absolute(_: _Evaluation, value: Value) -> Value:
    return abs(value)


_OPERATIONS: dict[str, Callable[..., Value]] = {
    "+": _add,
    "*": _multiply,
    "/": _divide,
    "^": _power,
    "root": _root,
    "binom": _binomial,
    "!": _factorial,
    "abs": _absolute,
    "-": lambda _, value: -value,
    "percent": lambda _, value: value / 100,
    "degrees": lambda _, value: value,
    "ratio": _divide,
}
_OF_ANGLES = frozenset(("sin", "cos", "tan", "cot", "sec", "csc"))
_FUNCTIONS: dict[str, Callable[..., Value]] = {
    **{
        name: getattr(mp, name)
        for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "exp")
    },
    **{
        f"arc{name}": getattr(mp, f"a{name}")
        for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh")
    },
    "ln": mp.log,
    "lg": lambda x: mp.log(x) / mp.log(10),
    "log": lambda x, base: mp.log(x) / mp.log(base),
    "Re": mp.re,
    "Im": mp.im,
    "arg": mp.arg,
}
_EXACT: dict[str, Callable[..., Fraction]] = {
    "floor": lambda x: Fraction(math.floor(x)),
    "ceil": lambda x: Fraction(math.ceil(x)),
    "abs": lambda x: abs(x),
    "max": lambda *xs: max(xs),
    "min": lambda *xs: min(xs),
    "gcd": lambda *xs: Fraction(math.gcd(*map(_whole, xs))),
    "lcm": lambda *xs: Fraction(math.lcm(*map(_whole, xs))),
}
