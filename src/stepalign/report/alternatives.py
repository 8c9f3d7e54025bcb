"""Where a self-teacher would have written something else, of an inspection: the tokens that get a second line.

    >>> (first,) = instead(result["contexts"]["stepalign"], result["tokens"], most=1)
    >>> result["tokens"][first.token], first.text
    (', ', ' carry ')

A token is told of where the context suppresses it (A_t below 0), the teacher's likeliest token is another one, and the
two distributions are at least `LEAST` apart. First come those that are farthest apart, by the sum of the Kullback-
Leibler divergences in both directions (Jeffreys); of a long response at most one token in `ONE_IN`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stepalign.report.page.text import visible

LEAST = 1.0  # nats
PARTS = 10_000  # of a probability of 1, in a page
ONE_IN = 10
LONGEST = 16  # characters of a token that is spelled
BREAKS = str.maketrans({"\n": "↵", "\t": "⇥"})
FEW = 8  # that a short response may have all the same


class Instead(NamedTuple):
    """What the self-teacher would most likely have written in place of a token (from 0), and how likely, 0 to 1."""

    token: int
    text: str
    probability: float


class Packed(NamedTuple):
    """Alternatives as a page has them: `texts`, each once, and at each token [text's number, probability, ...]."""

    texts: list[str]
    tops: list[list[list[int]]]


def pack(models: Sequence[Sequence[Sequence[Sequence[Any]]]]) -> Packed:
    """The alternatives of several models, small: texts by their numbers, probabilities in ten thousandths.

    >>> pack([[[["a", 0.5], ["b", 0.25]], [["b", 1.0]]]])
    Packed(texts=['a', 'b'], tops=[[[0, 5000, 1, 2500], [1, 10000]]])
    """
    texts: dict[str, int] = {}
    tops = [
        [[part for text, p in top for part in (texts.setdefault(text, len(texts)), round(PARTS * p))] for top in tokens]
        for tokens in models
    ]
    return Packed(list(texts), tops)


def instead(context: Mapping[str, Any], tokens: Sequence[str], most: int | None = None) -> list[Instead]:
    """The tokens where a self-teacher disagrees most with what was written, from the most on.

    Args:
        context: an entry of `contexts` in `advantage.json`; one without alternatives gives none.
        tokens: of the response.
        most: how many at most; None: as many as a page shows.
    """
    if not context.get("teacher_top"):
        return []
    tops, advantage = context["teacher_top"], context["advantage"]
    apart = [d - expected for d, expected in zip(context["divergence"], context["expected_advantage"], strict=True)]
    found = [
        Instead(i, *tops[i][0])
        for i in sorted(range(len(apart)), key=lambda i: -apart[i])
        if apart[i] >= LEAST and advantage[i] < 0 and tops[i] and tops[i][0][0] != tokens[i]
    ]
    return found[: max(FEW, len(tokens) // ONE_IN) if most is None else most]


def spelled(text: str) -> str:
    """A token with its outer spaces and all line breaks to be seen, cut where it is long.

    >>> spelled(" carry"), spelled("a b\\n"), spelled("  ")
    ('␣carry', 'a b↵', '␣␣')
    """
    text = visible(text)
    inner = text.strip(" ")
    left = len(text) - len(text.lstrip(" ")) if inner else len(text)
    shown = "␣" * left + inner.translate(BREAKS) + "␣" * (len(text) - left - len(inner))
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def in_percent(probability: float) -> str:
    """0 to 1 as percent, to a tenth where it is small."""
    if probability >= 0.0995:
        return f"{100 * probability:.0f} %"
    return f"{100 * probability:.1f} %" if probability >= 0.001 else "< 0.1 %"
