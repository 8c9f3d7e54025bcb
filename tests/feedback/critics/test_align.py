import pytest

from stepalign.feedback.critics.align import align, near_verbatim, num_leading_copies

STEP = "So the total number of apples is 47 + 38 = 85."


@pytest.mark.parametrize(
    "other",
    [
        STEP,
        "  So the total number of apples is 47+38 = 85.\n",
        "so the total number of apples is 47 + 38 = 85",
        "So the total numbr of apples is 47 + 38 = 85.",
        "So the total number of applees is 47 + 38 = 85;",
        "<STEP_2>So the total number of apples is 47 + 38 = 85.</Step_2>",
        "So the “total” number of apples is 47 + 38 = 85.",
    ],
)
def test_the_same_words_are_near_verbatim(other):
    assert near_verbatim(STEP, other) and near_verbatim(other, STEP)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (STEP, STEP.replace("85", "75")),
        (STEP, STEP.replace("+", "-")),
        (STEP, STEP.replace("So", "Thus")),
        (STEP, STEP.replace("apples", "pears")),
        (STEP, STEP.replace("total", "whole")),
        ("Therefore x is even, hence 2 divides it.", "Therefore x is not even, hence 2 divides it."),
        ("The value of x is at most 4 in this range.", "The value of y is at most 4 in this range."),
        ("The function sin is increasing on this interval.", "The function cos is increasing on this interval."),
        ("This one is a typical value of the whole.", "This one is atypical value of the whole."),
        (r"\Delta = b^2 - 4ac and more words here", r"\delta = b^2 - 4ac and more words here"),
        ("n! is large for every n that is large", "n is large for every n that is large"),
        ("f'(x) = 2x", "f(x) = 2x"),
        ("3.14", "3,14"),
        ("A = 5", "a = 5"),
        ("", "x"),
        (" ", "\n"),
    ],
)
def test_a_correction_is_never_taken_for_a_slip(a, b):
    assert not near_verbatim(a, b) and not near_verbatim(b, a)


def origins(steps):
    return [(step.text, step.origin) for step in steps]


def test_copies_get_the_solvers_text():
    assert origins(align(["2 + 2 = 4", "so 5"], ["2 + 2  = 4", "so 4"])) == [
        ("2 + 2 = 4", "copied"),
        ("so 4", "rewritten"),
    ]


def test_a_step_between_two_copies_is_inserted_when_nothing_stood_there():
    assert origins(align(["a 1", "b 2"], ["a 1", "new", "b 2", "more"])) == [
        ("a 1", "copied"),
        ("new", "inserted"),
        ("b 2", "copied"),
        ("more", "inserted"),
    ]


def test_replacements_beyond_what_was_there_are_inserted():
    assert [step.origin for step in align(["a 1", "b 2", "c 3"], ["a 1", "x", "y", "c 3"])] == [
        "copied",
        "rewritten",
        "inserted",
        "copied",
    ]


def test_copies_keep_the_order_and_none_is_used_twice():
    assert [step.origin for step in align(["a 1", "b 2"], ["b 2", "a 1", "b 2"])] == ["copied", "inserted", "inserted"]
    assert [step.origin for step in align(["a 1"], ["a 1", "a 1"])] == ["copied", "inserted"]


def test_nothing_to_align():
    assert align([], []) == []
    assert [step.origin for step in align([], ["x"])] == ["inserted"]
    assert align(["x"], []) == []


def test_leading_copies():
    solver = ["a 1", "b 2", "c 3"]
    assert num_leading_copies(solver, align(solver, ["a 1", "b 2", "x"])) == 2
    assert num_leading_copies(solver, align(solver, ["b 2", "c 3"])) == 0
