r"""What can be graded by looking: identical texts, plain numbers, words, choices, times. No process, microseconds.

>>> plain_outcome("1000", "$1,000.00")
<Outcome.CORRECT: 'correct'>
>>> plain_outcome("18", "17")
<Outcome.WRONG: 'wrong'>
>>> plain_outcome("1/2", r"\frac{x}{2x}")  # None: it takes mathematics
"""

from __future__ import annotations

from stepalign.core.rollout import Outcome
from stepalign.grading.numbers import as_number, equal
from stepalign.grading.spelling import normalize
from stepalign.grading.units import split_unit
from stepalign.grading.words import Choice, choice, is_sentence, is_words, time_outcome, words_outcome


def plain_outcome(gold: str, answer: str) -> Outcome | None:
    """Correct, wrong or unparseable where the texts alone decide it; None where it takes mathematics."""
    gold, answer = normalize(gold), normalize(answer)
    if not gold or not answer:
        return Outcome.UNPARSEABLE
    if gold == answer:
        return Outcome.CORRECT
    a, b = as_number(gold, gold=True), as_number(answer)
    if a and b:
        return Outcome.CORRECT if equal(a, b) else Outcome.WRONG
    by_kind = time_outcome(gold, answer) or _choice_outcome(gold, answer) or words_outcome(gold, answer)
    if by_kind:
        return by_kind
    if (a and is_words(answer)) or (b and is_words(gold)):
        return Outcome.UNPARSEABLE
    bodies = (split_unit(text)[0] for text, number in ((gold, a), (answer, b)) if not number)
    return Outcome.UNPARSEABLE if any(map(is_sentence, bodies)) else None


def _choice_outcome(gold: str, answer: str) -> Outcome | None:
    expected, got = choice(gold), choice(answer)
    if expected is None or got is None:
        return _choice_by_text(expected, answer)
    if expected.letter != got.letter:
        return Outcome.WRONG
    if expected.text and got.text and plain_outcome(expected.text, got.text) is Outcome.WRONG:
        return Outcome.WRONG  # the letter of one choice and the text of another
    return Outcome.CORRECT


def _choice_by_text(expected: Choice | None, answer: str) -> Outcome | None:
    """The text of the true choice answers for its letter."""
    if expected and expected.text and plain_outcome(expected.text, answer) is Outcome.CORRECT:
        return Outcome.CORRECT
    return None
