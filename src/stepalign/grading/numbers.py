r"""Plain numbers: their exact value, how precisely they are stated, and when two are equal.

A plain number may carry thousands commas, a percent sign, a scale or a unit: "1,000", "18.00", "3 1/2", "\frac{7}{2}",
"1.6 \times 10^{-19}", "0.1\overline{6}", "5 million", "70k", "12 eggs". Equality (docs/grading.md):

- whole numbers, fractions and repeating decimals are exact;
- a true answer with decimals and three significant digits or more is met by what rounds to it: 3.14 by 3.14159;
- otherwise a decimal meets an exact value when it agrees to six places (six significant digits below 0.1);
- "50%" is both 50 and 0.5, as problems that ask for a percentage have either as their answer.

    >>> as_number("1,000 kg").value
    Fraction(1000, 1)
    >>> equal(as_number("3.14"), as_number("3.15"))
    False
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from stepalign.grading.units import Unit, conversion, split_unit

SCALES = {
    "dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "万": 10**4, "亿": 10**8, "千": 10**3, "百": 100,
}  # fmt: skip
_TENS = (
    r"(?:e\s*(?P<e>[-+]?\d{1,4})|\s*(?:\\times|\\cdot|\*|x)\s*10\s*\^\s*"
    r"(?P<open>[{(])?\s*(?P<ten>[-+]?\s*\d{1,4})\s*(?(open)[})]))"
)
_NUMBER = re.compile(
    r"(?P<sign>[-+]?)\s*(?:(?P<whole>\d+)\s*(?:(?= \d+\s*/)|(?=\\frac)))?\s*"
    r"(?:\\frac\s*(?:\{\s*(?P<above>\d+)\s*\}|(?P<above1>\d))\s*(?:\{\s*(?P<below>\d+)\s*\}|(?P<below1>\d))"
    r"|(?P<value>(?:\d{1,3}(?:(?:,\d{3})+|(?: \d{3})+)(?!\d)|\d+)(?:\.\d*)?|\.\d+)(?:\\overline\{(?P<repeat>\d+)\})?"
    rf"(?:{_TENS})?(?:\s*/\s*(?P<divisor>\d+))?)"
    rf"\s*(?P<percent>%)?(?:(?P<kilo>(?<=\d)k)|\s*\"?(?P<scale>{'|'.join(SCALES)})s?(?![米克瓦卡伏赫帕焦])\"?)?",
    re.IGNORECASE,
)
_GAPS = re.compile("[, ]")
_WORDS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen"""
_NAMED = {word: value for value, word in enumerate(_WORDS.split())}
_TENS_WORDS = """twenty thirty forty fifty sixty seventy eighty ninety"""
for _tens, _word in enumerate(_TENS_WORDS.split(), start=2):
    _NAMED |= {_word: 10 * _tens} | {f"{_word} {one}": 10 * _tens + _NAMED[one] for one in _WORDS.split()[1:10]}
_NAMED |= {"hundred": 100, "a hundred": 100, "one hundred": 100}


class Number(NamedTuple):
    """A plain number: its exact value, how it was written, and its unit.

    `place` is the value of one unit in the last stated decimal, None where the number is exact; `digits` are its
    significant digits.
    """

    value: Fraction
    place: Fraction | None = None
    digits: int = 0
    percent: bool = False
    unit: Unit | None = None


@lru_cache(maxsize=8192)
def as_number(normalized: str, *, gold: bool = False) -> Number | None:
    """The plain number that a normalized text is, None if it is anything else."""
    if normalized.isdecimal() and len(normalized) < 1000:
        return Number(Fraction(int(normalized)))
    number = _bare_number(normalized)
    if gold and number is not None and normalized[-1] == "k":
        return None  # a letter of the true answer
    if number is None and normalized[:1] in "+-.\\0123456789":
        body, unit = split_unit(normalized, gold=gold)
        number = _bare_number(body) if unit else None
        number = number and number._replace(unit=unit)
    return number


def _bare_number(text: str) -> Number | None:
    if (word := text.casefold().replace("-", " ")) in _NAMED:
        return Number(Fraction(_NAMED[word]))
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    try:
        value = _value(match)
    except (ZeroDivisionError, ValueError):
        return None
    exact = match["value"] is None or match["repeat"] or ("." not in match["value"] and match["e"] is None)
    number = Number(value, percent=match["percent"] is not None)
    if not exact:
        written = _GAPS.sub("", match["value"])
        place = Fraction(10) ** (_exponent(match) - len(written.partition(".")[2]))
        number = number._replace(place=place, digits=len(written.replace(".", "").lstrip("0")))
    if match["scale"] or match["kilo"]:
        scale = SCALES[match["scale"].casefold()] if match["scale"] else 1000
        number = number._replace(value=value * scale, place=number.place and number.place * scale)
    return number


def _value(match: re.Match[str]) -> Fraction:
    if match["value"] is None:
        value = Fraction(int(match["above"] or match["above1"]), int(match["below"] or match["below1"]))
    else:
        value = decimal(_GAPS.sub("", match["value"]), match["repeat"])
        if exponent := _exponent(match):
            value *= Fraction(10) ** exponent
        if match["divisor"]:
            value /= int(match["divisor"])
    if match["whole"]:
        value += int(match["whole"])
    return -value if match["sign"] == "-" else value


def _exponent(match: re.Match[str]) -> int:
    return int((match["e"] or match["ten"] or "0").replace(" ", ""))


def decimal(written: str, repeat: str | None = None) -> Fraction:
    """The exact value of a decimal, with its repeating block if it has one."""
    value = Fraction(written.rstrip(".") or "0")
    if repeat:
        places = len(written.partition(".")[2])
        value += Fraction(int(repeat), (10 ** len(repeat) - 1) * 10**places)
    return value


def equal(gold: Number, answer: Number) -> bool:
    """Whether a number answers for the true one (see the module)."""
    ratio = conversion(gold.unit, answer.unit)
    if ratio is None:
        return False
    if ratio != 1:
        answer = answer._replace(value=answer.value * ratio, place=answer.place and answer.place * ratio)
    if is_close(gold, answer):
        return True
    if gold.percent == answer.percent:
        return False
    # a problem that asks for a percentage has either as its answer
    return is_close(*(_as_share(number) if number.percent else number for number in (gold, answer)))


def is_close(gold: Number, answer: Number) -> bool:
    """Whether two values are equal as precisely as they are stated."""
    if gold.value == answer.value or (gold.place is None and answer.place is None):
        return gold.value == answer.value
    difference = abs(gold.value - answer.value)
    if gold.place is not None and gold.digits >= 3:
        return difference < gold.place / 2 or difference <= _rounding(gold.value)
    return difference <= _rounding(gold.value)


def _rounding(gold: Fraction) -> Fraction:
    return Fraction(5, 10**7) * min(1, 10 * abs(gold))


def _as_share(number: Number) -> Number:
    return number._replace(value=number.value / 100, place=number.place and number.place / 100)
