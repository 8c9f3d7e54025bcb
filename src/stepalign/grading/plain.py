r"""What can be graded by looking: identical texts, plain numbers, words. No process, no mathematics, microseconds.

A plain number may carry thousands commas, a currency, a percent sign, a unit or a scale: "1,000", "$18", "18.00",
"12 eggs", "5 million", "3 1/2", "\frac{7}{2}" and "1.6 \times 10^{-19}" are plain numbers. Units are not compared.
Decimals are equal when they agree to six places (significant digits below 0.1), as in math-verify.

    >>> plain_outcome("1000", "$1,000.00")
    <Outcome.CORRECT: 'correct'>
    >>> plain_outcome("18", "17")
    <Outcome.WRONG: 'wrong'>
    >>> plain_outcome("1/2", r"\frac{x}{2x}")       # None: it takes mathematics
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from stepalign.core.rollout import Outcome

SCALES = {
    "dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12
}  # fmt: skip
SHORT_UNITS = "mm|cm|dm|km|in|ft|yd|mi|mg|kg|oz|lbs?|ml|hrs?|mins?|secs?|mph|am|pm"
# words after a number that are no unit, because they change its value
NOT_UNITS = frozenset(
    """and or to plus minus times over mod choose half halves third thirds quarter quarters fifths tenths hundredths
    squared cubed factorial sqrt sin cos tan log hundreds thousands millions billions dozens""".split()  # noqa: SIM905
).union(SCALES)

# applied in order; each rewrites a way of writing that carries no meaning
_REWRITES = [
    (re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox)\s*\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\[,!]|\\(?:left|right)(?![A-Za-z])|\{(?=,\})|(?<=\{,)\}"), ""),
    (re.compile(r"\\(?:displaystyle|quad)(?![A-Za-z])|\\[;:() \[\]]|\\?\$|[€£¥₹°~]|\^\{?\\circ\}?"), " "),
    (re.compile(r"\\%|(?<=\d)\s*percent\b"), "%"),
    (re.compile("−"), "-"),
    (re.compile(r"\\[dt]frac"), r"\\frac"),
    (re.compile(r"\\frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}|\\frac\s*(\d)\s*(\d)"), r" \1\3/\2\4 "),
    (re.compile(r"(?<=\d)\s*\\(?:times|cdot)\s*10\s*\^\s*(?:\{\s*(-?\d{1,3})\s*\}|(\d)(?!\d))"), r"e\1\2"),
    (re.compile(r"\s+"), " "),
]
_NUMBER = re.compile(
    r"(?P<sign>[-+]?) ?(?:(?P<whole>\d+) (?=\d+/))?"
    r"(?P<value>(?:\d{1,3}(?:(?:,\d{3})+|(?: \d{3})+)|\d+)(?:\.\d*)?|\.\d+)(?:e(?P<exponent>[-+]?\d{1,3}))?"
    rf"(?: ?/ ?(?P<divisor>\d+))? ?(?P<percent>%)?(?: ?(?P<scale>{'|'.join(SCALES)}))?"
    rf"(?P<unit> ?(?:{SHORT_UNITS})(?:\^\{{?[23]\}}?|[²³])?"
    r"|(?: (?:[^\W\d_]{3,}|[^\W\d_]{2}(?= [^\W\d_]{2}))(?: [^\W\d_]+)*)?)",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^\W\d_]{4,}(?:[ '-][^\W\d_]+)*")
_SENTENCE = re.compile(r"(?<!\\)\b[^\W\d_][^\W\d_']+[,;:]? [^\W\d_]{2,}")


class Number(NamedTuple):
    """A plain number: its exact value and how it was written."""

    value: Fraction
    decimal: bool
    percent: bool


def plain_outcome(gold: str, answer: str) -> Outcome | None:
    """Correct, wrong or unparseable where the texts alone decide it; None where it takes mathematics."""
    gold, answer = normalize(gold), normalize(answer)
    if not gold or not answer:
        return Outcome.UNPARSEABLE
    if gold == answer:
        return Outcome.CORRECT
    a, b = as_number(gold), as_number(answer)
    if a and b:
        return Outcome.CORRECT if _equal(a, b) else Outcome.WRONG
    words = [bool(_WORDS.fullmatch(text)) for text in (gold, answer)]
    if all(words):
        return Outcome.CORRECT if gold.casefold() == answer.casefold() else Outcome.WRONG
    # a parser of formulas reads words as the product of their letters
    if (any(words) and (a or b)) or _is_sentence(gold) or _is_sentence(answer):
        return Outcome.UNPARSEABLE
    return None


@lru_cache(maxsize=4096)
def normalize(text: str) -> str:
    """The text without the ways of writing that carry no meaning, so that equal texts are equal answers."""
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return text.strip(" *").rstrip(" .,;:*")


@lru_cache(maxsize=4096)
def as_number(normalized: str) -> Number | None:
    """The plain number that a normalized text is, None if it is anything else."""
    match = _NUMBER.fullmatch(normalized)
    if match is None or not NOT_UNITS.isdisjoint(match["unit"].casefold().split()):
        return None
    try:
        value = Fraction(re.sub("[, ]", "", match["value"]).rstrip(".")) * Fraction(10) ** int(match["exponent"] or 0)
        value = value / int(match["divisor"] or 1) + int(match["whole"] or 0)
    except (ZeroDivisionError, ValueError):
        return None
    value *= SCALES[match["scale"].casefold()] if match["scale"] else 1
    decimal = "." in match["value"] or match["exponent"] is not None
    return Number(-value if match["sign"] == "-" else value, decimal, match["percent"] is not None)


def _is_sentence(normalized: str) -> bool:
    return as_number(normalized) is None and bool(_SENTENCE.search(normalized))


def _equal(gold: Number, answer: Number) -> bool:
    if _close(gold.value, answer.value, gold.decimal or answer.decimal):
        return True
    if gold.percent == answer.percent:
        return False
    # "50%" answers both 50 and 0.5: a problem that asks for a percentage has either as its answer
    a, b = (n.value / 100 if n.percent else n.value for n in (gold, answer))
    return _close(a, b, True)


def _close(gold: Fraction, answer: Fraction, decimal: bool) -> bool:
    if not decimal:
        return gold == answer
    return abs(gold - answer) <= Fraction(5, 10**7) * min(1, 10 * abs(gold))
