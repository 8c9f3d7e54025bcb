import pytest

from stepalign.core.rollout import Outcome
from stepalign.grading.plain import plain_outcome


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("1000", "1,000"),
        ("1,000", "1{,}000"),
        ("1000", r"1\,000"),
        ("1000", r"1,\!000"),
        ("1000", "1 000"),
        ("18", "$18"),
        ("18", r"\$18.00"),
        ("18", "$18$"),
        ("18", "18.00"),
        ("18", "018."),
        ("18", "+18"),
        ("18", "**18**"),
        ("-18", "−18"),
        ("-18", "-$18"),
        ("18", "18 eggs"),
        ("18", r"18\text{ dollars per hour}"),
        ("18", "18 cm"),
        ("18", "18cm^2"),
        ("90", r"90^\circ"),
        ("50", "50%"),
        ("0.5", r"50\%"),
        ("50%", "50 percent"),
        ("1/2", r"\dfrac{1}{2}"),
        ("1/2", r"\frac12"),
        ("-1/2", r"-\frac{1}{2}"),
        ("1/2", "0.5"),
        ("1/3", "0.333333"),
        ("1/6", "0.166667"),
        ("0.3", "0.30000000000000004"),
        ("7/2", "3 1/2"),
        ("7/2", r"3\frac{1}{2}"),
        ("5000000", "5 million"),
        ("24", "2 dozen eggs"),
        ("1.6e-19", r"1.6 \times 10^{-19}"),
        ("300", r"3 \cdot 10^2"),
        ("18", "１８"),
        ("18", "١٨"),
        (r"\frac{x}{2}", r"\frac{x}{2} "),
        ("(1, 2)", r"\left(1, 2\right)"),
        ("East", r"\text{east}"),
        ("none of these", "none of these"),
    ],
)
def test_equal(gold, answer):
    assert plain_outcome(gold, answer) is Outcome.CORRECT
    assert plain_outcome(answer, gold) is Outcome.CORRECT


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("18", "17"),
        ("18", "-18"),
        ("18", "18.001"),
        ("1000000", "1000001"),
        ("1234567.8", "1234567.9"),
        ("0", "0.0000001"),
        ("1.6e-19", "1.7e-19"),
        ("1/3", "0.33"),
        ("7/2", "31/2"),
        ("5", "5 million"),
        ("east", "west"),
    ],
)
def test_different(gold, answer):
    assert plain_outcome(gold, answer) is Outcome.WRONG
    assert plain_outcome(answer, gold) is Outcome.WRONG


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("18", "unknown"),
        ("18", "I do not know"),
        ("18", "The total is 18 dollars"),
        ("20", "3 hours and 20 minutes"),
        ("18", "5 or more"),
        ("18", "$"),
        ("", "18"),
    ],
)
def test_words_are_no_number(gold, answer):
    assert plain_outcome(gold, answer) is Outcome.UNPARSEABLE


@pytest.mark.parametrize(
    "answer", ["x = 18", "5 x", "5 pi", "2^4", r"\sqrt{4}", "1/0", "1,2", "5 squared", "18 + 1", "A"]
)
def test_what_takes_mathematics(answer):
    assert plain_outcome("18", answer) is None
