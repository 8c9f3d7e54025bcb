"""Which tokens get a second line, and how a token is spelled."""

import pytest

from stepalign.report.alternatives import Instead, in_percent, instead, pack, spelled


def context(*rows):
    """Of (advantage, divergence, expected advantage, the teacher's likeliest)."""
    keys = ("advantage", "divergence", "expected_advantage", "teacher_top")
    columns = dict(zip(keys, map(list, zip(*rows, strict=True)), strict=True))
    return columns | {"teacher_top": [[[text, 0.9], ["?", 0.1]] for text in columns["teacher_top"]]}


def test_a_second_line_takes_a_suppressed_token_that_the_teacher_would_not_write():
    found = instead(
        context(
            (-4.0, 2.0, -1.0, "b"),
            (-4.0, 2.0, -1.0, "a"),  # the teacher would write it all the same
            (+0.5, 9.0, -1.0, "b"),  # the context reinforces it
            (-0.1, 0.5, -0.4, "b"),  # the two hardly differ
            (-2.0, 0.5, -8.0, "c"),
        ),
        ["a"] * 5,
    )
    assert found == [Instead(4, "c", 0.9), Instead(0, "b", 0.9)], "the farthest apart first"


def test_a_long_response_has_one_in_ten_at_most():
    assert len(instead(context(*[(-4.0, 2.0, -1.0, "b")] * 200), ["a"] * 200)) == 20
    assert len(instead(context(*[(-4.0, 2.0, -1.0, "b")] * 20), ["a"] * 20)) == 8
    assert len(instead(context(*[(-4.0, 2.0, -1.0, "b")] * 20), ["a"] * 20, most=1)) == 1


def test_a_context_without_alternatives_has_none():
    assert instead({"advantage": [-4.0], "divergence": [2.0]}, ["a"]) == [], "as files had it before"
    none = context((-4.0, 2.0, -1.0, "b")) | {"teacher_top": [[]]}
    assert instead(none, ["a"]) == []


def test_packed_texts_stand_once():
    packed = pack([[[["a", 0.5], ["b", 0.00004]]], [[["b", 1.0]]]])
    assert packed.texts == ["a", "b"] and packed.tops == [[[0, 5000, 1, 0]], [[1, 10_000]]]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" carry ", "␣carry␣"),
        ("  ", "␣␣"),
        ("a b\n\t", "a b↵⇥"),
        ("\u202eab", "⟨U+202E⟩ab"),
        ("x" * 40, "x" * 15 + "…"),
        ("", ""),
    ],
)
def test_a_token_spelled(text, shown):
    assert spelled(text) == shown


def test_percent():
    assert [in_percent(p) for p in (1.0, 0.351, 0.0994, 0.0004)] == ["100 %", "35 %", "9.9 %", "< 0.1 %"]
