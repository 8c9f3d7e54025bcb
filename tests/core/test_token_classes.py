"""Classes of tokens: by what a token lies in, else by its own characters."""

from __future__ import annotations

import pytest

from stepalign.core.token_classes import TOKEN_CLASSES, token_class, token_classes


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("7", "digit"),
        (" 1,000", "digit"),
        (" x2", "digit"),
        ("=", "operator"),
        (" -", "operator"),
        (" ×", "operator"),
        (" \\frac", "operator"),
        (" pens", "word"),
        ("é", "word"),
        ("Hmm", "hedge"),
        ("<answer>", "tag"),
        ("</step_3>", "tag"),
        (".", "other"),
        ("\n", "other"),
        ("", "other"),
    ],
)
def test_one_token_by_itself(text, kind):
    assert token_class(text) == kind


def test_what_a_tokenizer_splits_is_found_in_the_whole_text():
    tokens = ["</", "step", "_", "1", ">", "Let", " me", " check", ":", " a", "<", "b"]
    assert token_classes(tokens) == [*["tag"] * 5, *["hedge"] * 3, "other", "word", "operator", "word"]


def test_a_hedge_is_a_whole_word():
    assert token_classes(["a", "wait", " await", " actual"]) == ["word"] * 4  # "await", then words that merely begin so


def test_white_space_inside_a_hedge_is_no_hedge_of_its_own():
    assert token_classes(["hold", " ", "on", "\n"]) == ["hedge", "other", "hedge", "other"]


def test_every_token_has_one_of_the_classes_and_none_is_lost():
    tokens = ["", " ", "<step_1>", "", "12", "+", "<", ">", "wait", ""]
    classes = token_classes(tokens)
    assert len(classes) == len(tokens)
    assert set(classes) <= set(TOKEN_CLASSES)
