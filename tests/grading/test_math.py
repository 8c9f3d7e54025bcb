import pytest

from stepalign.core.rollout import Outcome
from stepalign.grading.math import compare


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"\frac{1}{2}", "2^{-1}"),
        (r"\sqrt{8}", r"2\sqrt{2}"),
        ("x^2 + 2x + 1", "(x + 1)^2"),
        ("18", "$x = 18$"),
        ("2", "1 + 1 = 2"),
        (r"\{1, 2\}", "2, 1"),
        ("(1, 2)", "$(1,\n2)$"),
        ("[1, 2)", r"1 \le x < 2"),
        ("A", r"\textbf{(A)}"),
        (r"\infty", "infinity"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    ],
)
def test_equal(gold, answer):
    assert compare(gold, answer) is Outcome.CORRECT


@pytest.mark.parametrize(
    ("gold", "answer"),
    [("18", "18 or 17"), ("(1, 2)", "(2, 1)"), ("x + 1", "x - 1"), ("A", "B"), ("5", r"\frac{1}{0}")],
)
def test_different(gold, answer):
    assert compare(gold, answer) is Outcome.WRONG


@pytest.mark.parametrize(
    ("gold", "answer"),
    [("5", r"\frac{"), (r"\frac{", "5"), (r"\frac{1}{0}", "5"), ("5", "\x00"), ("5", "\ud800"), ("5", "")],
)
def test_unparseable(gold, answer):
    assert compare(gold, answer) is Outcome.UNPARSEABLE
