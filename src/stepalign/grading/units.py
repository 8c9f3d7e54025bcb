r"""Units: what may stand after a number without changing it, and how the common ones convert.

A unit is dropped where it is a unit: upright (`\text{m}`), compound (`m/s`), of two letters or more (`cm`, `eggs`),
or one letter of the table set off from the number (`3 J`). In the true answer italic letters that may be symbols are
letters of the answer, not a unit: `5m` is five times m, `2mg` twice m times g. Two stated units of the table must
agree: 5 m is 500 cm and not 5 cm. A word that is not in the table (`18 eggs`) is any unit.

    >>> split_unit("9.8 m/s^{2}")[0], split_unit("2R")
    ('9.8', ('2R', None))
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

# quantity: unit=factor. A quantity is a product of others, over a product of others, so that N m is J; the units of one
# quantity convert into one another. A star gives the unit the prefixes of the SI.
_TABLE = r"""
length: m*=1 meter*=1 metre*=1 Å=1/10000000000 inch=254/10000 inches=254/10000 in=254/10000 ft=3048/10000
length: foot=3048/10000 feet=3048/10000 yd=9144/10000 yard=9144/10000 mi=1609344/1000 mile=1609344/1000
length length length: L*=1/1000 l*=1/1000 liter*=1/1000 litre*=1/1000 cc=1/1000000
mass: g*=1/1000 gram*=1/1000 ton=1000 tonne=1000
weight: oz=1/16 ounce=1/16 lb=1 lbs=1 pound=1
time: s*=1 sec=1 secs=1 second*=1 min=60 mins=60 minute=60 h=3600 hr=3600 hrs=3600 hour=3600 day=86400 week=604800
length / time: mph=1609344/3600000 kmph=1000/3600 kph=1000/3600
mass length / time time: N*=1 newton=1 dyn=1/100000
mass length length / time time: J*=1 joule=1 erg=1/10000000 Wh*=3600
mass length length / time time time: W*=1 watt=1
mass / length time time: Pa*=1
mass length length / time time current: Wb=1
mass length length / time time time current: V*=1 volt=1
mass length length / time time time current current: \Omega*=1 ohm=1
mass / time time current: T*=1 tesla=1
current: A*=1 amp=1 ampere=1
current time: C*=1 coulomb=1
/ time: Hz*=1 hertz=1
amount: mol*=1 mole=1
temperature: K=1 kelvin=1
years: yr=1 yrs=1 year=1
money: cent=1/100 dollar=1
particle's: eV*=1
heat: cal*=1
atmospheres: atm=1
bars: bar*=1
farads: F*=1 farad=1
henrys: H*=1
revolutions: rpm=1
loudness: dB=1
Celsius: ^\circC=1
Fahrenheit: ^\circF=1
radians: rad=1 radian=1
degrees: ^\circ=1 degree=1 deg=1
parsecs: pc=1
light-years: ly=1
astronomical: au=1
any: unit=1
morning: am=1
afternoon: pm=1
"""
_PREFIXES = {
    "n": -9,
    "\\mu ": -6,
    "m": -3,
    "c": -2,
    "d": -1,
    "k": 3,
    "M": 6,
    "G": 9,
    "milli": -3,
    "centi": -2,
    "kilo": 3,
}
# words after a number that are no unit, because they change its value
NOT_UNITS = frozenset(
    """and or to plus minus times over mod choose half halves third thirds fourth fourths quarter quarters fifth
    fifths sixth sixths seventh sevenths eighth eighths ninth ninths tenth tenths twelfths twentieths hundredth
    hundredths thousandths squared cubed factorial sqrt sin cos tan cot sec csc log exp inf theta alpha beta
    gamma lambda delta omega sigma phi dozen dozens hundred hundreds thousand thousands million millions billion
    billions trillion trillions pair pairs score gross below negative not but base infinity""".split()  # noqa: SIM905
)
_NOT_UNITS_CJK = frozenset("万亿千百十半多余几或和与至到以之点负加减乘除左右")


class Unit(NamedTuple):
    """A stated unit: its quantity and its factor, both empty where the table does not have it."""

    quantity: tuple[tuple[str, int], ...] | None = None
    factor: Fraction = Fraction(1)


def conversion(gold: Unit | None, answer: Unit | None) -> Fraction | None:
    """What the answer's number is multiplied by to be in the true unit, None where the units contradict each other.

    1 where one is not stated or not known.
    """
    if gold is None or answer is None or gold.quantity is None or answer.quantity is None:
        return Fraction(1)
    if gold.quantity == answer.quantity:
        return answer.factor / gold.factor
    return None


def _read_table() -> dict[str, tuple[str, Fraction]]:
    table: dict[str, tuple[str, Fraction]] = {}
    for line in _TABLE.strip().splitlines():
        quantity, _, entries = line.partition(": ")
        for entry in entries.split():
            unit, _, factor = entry.partition("=")
            symbol = unit.rstrip("*")
            is_word = len(symbol) > 3 and symbol.isalpha()
            prefixes = {p: e for p, e in _PREFIXES.items() if (len(p) > 2 and p.isalpha()) == is_word}
            for prefix, exponent in {"": 0, **(prefixes if unit.endswith("*") else {})}.items():
                for plural in ("", "s") if is_word else ("",):
                    table[prefix + symbol + plural] = (quantity, Fraction(factor) * Fraction(10) ** exponent)
    return table


_UNITS = _read_table()
_SYMBOL = "|".join(re.escape(symbol) for symbol in sorted(_UNITS, key=len, reverse=True))
_SYMBOL = _SYMBOL.replace(r"\^\\circ", r"\^\\circ\s*").replace(r"\\mu\ ", r"\\mu\s*")
_ATOM = rf"(?:(?:sq(?:uare)?\.?|cu(?:bic)?\.?)\s+)?(?:{_SYMBOL})s?(?![A-Za-z])(?:\s*\^\s*(?:\{{\s*-?\d\s*\}}|-?\d))?"
_JOINT = r"(?:\s*(?:/|\\cdot|\*|\bper\b|-)\s*|\s+)"
_COMPOUND = rf"{_ATOM}(?:{_JOINT}{_ATOM})*"
_WORD = r"[^\W\d_]{3,}|[^\W\d_]{2}(?= [^\W\d_]{2})"
_WORDS = rf"(?:{_WORD})(?:[ /-][^\W\d_]+)*(?:\^\{{?[23]\}}?)?"
_CJK = r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]+"
_COMPOUND_TAIL = re.compile(rf"(?<![A-Za-z\\_^])\s*(?P<unit>{_COMPOUND})\s*\.?")
_ANY_TAIL = re.compile(rf"\s*(?P<unit>{_COMPOUND}|{_WORDS}|{_CJK})\s*\.?")
_VOWEL = re.compile("[aeiou]", re.IGNORECASE)
_LETTERS = frozenset(symbol for symbol in _UNITS if len(symbol) == 1)
_MAY_BE_SYMBOLS = _LETTERS | frozenset(p + letter for p in ("n", "m", "c", "d", "k", "M", "G") for letter in _LETTERS)
_MAY_BE_SYMBOLS = (_MAY_BE_SYMBOLS | {"Pa", "T", "pc", "ly", "au"}) - {"cm", "km", "kg", "dm"}
_JOINING = frozenset(("and", "or", "to", "plus", "minus", "times"))
_UNFINISHED = ("\\", "^", "_", "{", "(", "+", "-", "*", "/", "=")
_FRACTION = re.compile(r"^\\frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_POWER = re.compile(r"\^\s*\{?\s*(-?\d)")


@lru_cache(maxsize=8192)
def split_unit(text: str, *, gold: bool = False, italic: bool = True) -> tuple[str, Unit | None]:
    """A normalized text without the unit at its end, and the unit; the text itself and None where it has none.

    Args:
        gold: the text is the true answer, whose italic letters are no units where they may be symbols.
    """
    for start in _starts(text):
        tail = text[start:]
        body = text[:start].rstrip(' "')
        unit = _as_unit(tail, set_off=text[:start] != body, gold=gold) if italic or '"' in tail else None
        last = re.search(r"[^\W\d_]+$", body)
        if unit is None or not body or body.endswith(_UNFINISHED) or (last and last[0] in _JOINING):
            continue
        return body, unit
    return text, None


def _starts(text: str) -> list[int]:
    """Where a unit may start: after a digit, a bracket or a space, at most some words before the end."""
    places = [
        m.end() for m in re.finditer(r"(?<=[\d)}\]%])[\s\"]*(?=[^\s\d\"()\[\]{}])|[\s\"]+(?=[^\s\"\d()\[\]{}])", text)
    ]
    return [place for place in places if place][-12:]


def _as_unit(tail: str, *, set_off: bool, gold: bool) -> Unit | None:
    """The unit that a text after a number is, None if it is none."""
    upright = '"' in tail
    tail = _FRACTION.sub(r"\1/\2", tail)
    if tail.startswith("/"):
        tail = tail[1:] if _UNITS.keys() & {tail[1:].strip(' "')} and len(tail) > 3 else tail  # "5/hour"
    bare = re.sub(r"\s*[\"()]\s*", " ", tail).strip() if "(" in tail else tail.replace('"', " ").strip()
    found = _ANY_TAIL.fullmatch(bare)
    if found is None:
        return None
    unit = found["unit"]
    words = re.findall(r"[^\W\d_]+", unit)
    known = bool(_COMPOUND_TAIL.fullmatch(bare))
    if not known and not NOT_UNITS.isdisjoint(word.casefold() for word in words):
        return None
    if (not _NOT_UNITS_CJK.isdisjoint(unit) and not unit.startswith("千")) or "分之" in unit:
        return None
    if not known and unit[0].isascii() and not (set_off and _VOWEL.search(unit)):
        return None
    if known and not upright and unit in (_MAY_BE_SYMBOLS if gold else _LETTERS) and (gold or not set_off):
        return None
    return _measure(unit) if known and "(" not in tail and "unit" not in unit else Unit()


def _measure(unit: str) -> Unit:
    """The quantity and factor of a unit of the table."""
    powers: dict[str, int] = {}
    factor, sign = Fraction(1), 1
    prefix = 1
    for match in re.finditer(rf"(?P<per>/|\bper\b)|(?P<prefix>sq|cu)[a-z.]*\s+|(?P<unit>{_ATOM})", unit):
        if match["per"]:
            sign = -1
        elif match["prefix"]:
            prefix = 2 if match["prefix"] == "sq" else 3
        else:
            symbol = re.match(_SYMBOL, match["unit"])
            assert symbol
            quantity, scale = _UNITS[re.sub(r"\s", "", symbol[0]).replace(r"\mu", r"\mu ")]
            power = _POWER.search(match["unit"][symbol.end() :])
            exponent = sign * prefix * (int(power[1]) if power else 1)
            above, _, below = quantity.partition("/")
            for names, direction in ((above, 1), (below, -1)):
                for name in names.split():
                    powers[name] = powers.get(name, 0) + direction * exponent
            factor *= scale**exponent
            prefix = 1
    return Unit(tuple(sorted((name, power) for name, power in powers.items() if power)), factor)
