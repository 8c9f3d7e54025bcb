from fractions import Fraction

import pytest

from stepalign.grading.parser import parse
from stepalign.grading.values import Undefined, number_value, same_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1/2x", "1/4"),
        ("x/2x", Fraction(1, 2)),
        (r"3\frac{1}{2}", Fraction(7, 2)),
        ("2^3^2", 512),
        ("-x^2", Fraction(-1, 4)),
        (r"\frac12", Fraction(1, 2)),
        (r"\sqrt[3]{-8}", -2),
        ("5!/3!", 20),
        (r"\binom{5}{2}", 10),
        ("|-3|", 3),
        (r"\lfloor -2.5 \rfloor", -3),
        (r"\sqrt{9/4}", Fraction(3, 2)),
    ],
)
def test_rational_values_are_exact(text, value):
    assert same_value(parse(text), parse(str(Fraction(value))), {"x": Fraction(1, 2)}, real=True)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (r"\sqrt{5+2\sqrt{6}}", r"\sqrt{2}+\sqrt{3}", True),
        (r"\sin 30^\circ", "1/2", True),
        (r"e^{i\pi}", "-1", True),
        (r"\sqrt{2}+10^{-99}", r"\sqrt{2}", False),
        (r"\sqrt{2}\cdot 10^{-99}", r"\sqrt{3}\cdot 10^{-99}", False),
        (r"\sqrt{2}^{400}+1", r"\sqrt{2}^{400}", False),
        (r"e^{-1000}", r"e^{-1001}", False),
    ],
)
def test_no_difference_is_too_small(a, b, same):
    assert same_value(parse(a), parse(b), {}, real=False) is same


@pytest.mark.parametrize("text", ["1/0", r"\ln 0", r"\infty - 1"])
def test_no_value(text):
    with pytest.raises(Undefined):
        number_value(parse(text))


def test_a_real_point_has_real_values_only():
    with pytest.raises(Undefined):
        same_value(parse(r"\sqrt{x}"), parse("x"), {"x": Fraction(-1)}, real=True)
