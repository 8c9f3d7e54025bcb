import pytest

from stepalign.grading.parser import parse
from stepalign.grading.regions import region


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (r"x<2 \or x>3", r"(-\infty,2)\cup(3,\infty)"),
        (r"1 < x \le 2", "(1,2]"),
        (r"x \ne 3", r"(-\infty,3)\cup(3,\infty)"),
        (r"[0,1]\cup[1,2]", "[0,2]"),
        (r"\mathbb{R} \setminus \{1\}", r"(-\infty,1)\cup(1,\infty)"),
        (r"[0,2]\cap[1,3)", "[1,2]"),
        (r"|x| \le 3", "[-3,3]"),
        (r"x \in [1,2)", "[1,2)"),
        (r"(-\infty,\infty)", r"\mathbb{R}"),
    ],
)
def test_the_same_region(a, b):
    assert region(parse(a)) == region(parse(b)) is not None


@pytest.mark.parametrize(("a", "b"), [("(1,2)", "[1,2]"), ("x<2", r"x \le 2"), (r"\{1\}", r"\{2\}"), ("x<1", "x>1")])
def test_another_region(a, b):
    assert region(parse(a)) != region(parse(b))


@pytest.mark.parametrize("text", ["(a,b)", "x+1", "x<y", r"\mathbb{Z}", "(-1,-2)"])
def test_no_region(text):
    assert region(parse(text)) is None
