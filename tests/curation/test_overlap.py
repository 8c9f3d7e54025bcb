import pytest

from stepalign.curation.overlap import RunIndex, runs, text_key, words

A = "Find the sum of all positive integers n such that n divides 24."


def overlap(a: str, b: str, n: int) -> float:
    index = RunIndex(n)
    index.add("b", b)
    return index.nearest(runs(a, n))[0]


def test_words_lose_case_and_punctuation_around_them():
    assert words('Let $x$ be "Positive", (x+1=2).') == ["let", "x", "be", "positive", "x+1=2"]
    assert words(" .. $$ ") == []


def test_runs():
    assert len(runs("a b c d e", 3)) == 3
    assert len(runs("a b", 3)) == len(runs("a b c", 3)) == 1
    assert runs("", 3) == set()
    assert runs("A, b! c", 2) == runs("a b c", 2)
    assert runs("a b c", 2) != runs("a c b", 2)


def test_overlap_is_of_the_shorter_text():
    assert overlap("a b c d", "x a b c y z", 2) == pytest.approx(2 / 3)
    assert overlap(A, "First: " + A + " Then stop there.", 8) == 1.0
    assert overlap(A, "", 8) == 0.0
    assert overlap("Find the sum of 3 and 4.", "find the sum of 3 and 5", 4) == 0.75


def test_a_short_text_is_found_by_the_same_words_alone():
    assert overlap("What is 2 + 2?", "what is 2 + 2", 8) == 1.0
    assert overlap("What is 2 + 2?", "What is 2 + 2 and then some more of it?", 8) == 0.0


def test_text_key():
    assert text_key("What is  2?") == text_key("what is 2") != text_key("what is 3")
    assert text_key("\ud800")  # a lone surrogate is no reason to stop


def test_index():
    index = RunIndex(3)
    index.add("one", "a b c d e")
    index.add("two", "c d e f g h")
    assert index.nearest(runs("c d e f", 3)) == (1.0, "two")
    assert index.nearest(runs("b c d x", 3)) == (0.5, "one")
    assert index.nearest(runs("x y z", 3)) == (0.0, "")
