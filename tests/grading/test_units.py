from fractions import Fraction

import pytest

from stepalign.grading.units import conversion, split_unit


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("9.8 m/s^{2}", "9.8"),
        ('3" m"^2', "3"),
        (r"2\pi" + ' "cm"', r"2\pi"),
        ("3 J", "3"),
        ("18cm^2", "18"),
        ("18 eggs", "18"),
        ("18元", "18"),
        (r"5 k\Omega", "5"),
        ("5 hundredths", "5 hundredths"),
        ("5m", "5m"),
        ("5x", "5x"),
        ("18万", "18万"),
        ("5 or more", "5 or more"),
    ],
)
def test_split(text, body):
    assert split_unit(text)[0] == body


@pytest.mark.parametrize("text", ["5m", "5 m", "2mg", "3 kT"])
def test_italic_letters_of_a_true_answer_are_no_unit(text):
    assert split_unit(text, gold=True) == (text, None)
    assert split_unit("5 cm", gold=True)[0] == "5"


@pytest.mark.parametrize(
    ("gold", "answer", "factor"),
    [
        ("1 km", "1 m", Fraction(1, 1000)),
        ("1 m/s", "1 km/h", Fraction(5, 18)),
        ("1 m^2", "1 cm^2", Fraction(1, 10000)),
        ("1 sq ft", "1 ft^2", 1),
        ("1 hours", "1 minutes", Fraction(1, 60)),
        ("1 kg", "1 m", None),
        ("1 eggs", "1 m", 1),
        ("1 J", "1 N m", 1),
    ],
)
def test_conversion(gold, answer, factor):
    assert conversion(split_unit(gold)[1], split_unit(answer)[1]) == factor
