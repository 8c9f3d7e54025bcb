r"""Units: what may stand after a number without changing it, and how the common ones convert.

A unit is dropped where it is a unit: upright (`\text{m}`), compound (`m/s`), of two letters or more (`cm`, `eggs`), or a
capital or small letter of the table set off from the number (`3 J`). In the true answer an italic letter by itself is a
letter of the answer, not a unit: `5m` is five times m. Two stated units of the table must agree: 5 m is 500 cm and not
5 cm. A word that is not in the table (`18 eggs`) is any unit.

    split_unit('9.8 m/s^{2}')          # ('9.8', Unit(...))
    split_unit('2R')                   # ('2R', None)
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

# quantity: unit = factor; the factors of one quantity are comparable
_TABLE = """
length: nm=1/1000000000 \\mum=1/1000000 mm=1/1000 cm=1/100 dm=1/10 m=1 meter=1 metre=1 km=1000 kilometer=1000
  kilometre=1000 centimeter=1/100 centimetre=1/100 millimeter=1/1000 inch=254/10000 inches=254/10000 in=254/10000
  ft=3048/10000 foot=3048/10000 feet=3048/10000 yd=9144/10000 yard=9144/10000 mi=1609344/1000 mile=1609344/1000
mass: mg=1/1000000 g=1/1000 gram=1/1000 kg=1 kilogram=1 ton=1000 tonne=1000
weight: oz=1/16 ounce=1/16 lb=1 lbs=1 pound=1
time: ns=1/1000000000 ms=1/1000 s=1 sec=1 secs=1 second=1 min=60 mins=60 minute=60 h=3600 hr=3600 hrs=3600 hour=3600
  day=86400 week=604800
volume: ml=1/1000 mL=1/1000 cl=1/100 L=1 l=1 liter=1 litre=1
money: cent=1/100 dollar=1
energy: J=1 joule=1 kJ=1000 MJ=1000000 erg=1/10000000 \nenergy of particles: eV=1 keV=1000 MeV=1000000 GeV=1000000000
heat: cal=1 kcal=1000
force: N=1 newton=1 kN=1000 dyn=1/100000
pressure: Pa=1 kPa=1000 MPa=1000000 \natmospheres: atm=1 \nbars: bar=1
power: W=1 watt=1 kW=1000 MW=1000000
voltage: mV=1/1000 V=1 volt=1 kV=1000 \ncurrent: mA=1/1000 A=1 amp=1 ampere=1 \ncharge: C=1 coulomb=1
resistance: \\Omega=1 ohm=1 \ncapacitance: F=1 farad=1 \ninductance: H=1 \nfield: T=1 tesla=1
frequency: Hz=1 hertz=1 kHz=1000 MHz=1000000 GHz=1000000000 \nrevolutions: rpm=1
amount: mol=1 mole=1 \ntemperature: K=1 kelvin=1 \nCelsius: ^\\circC=1 \nFahrenheit: ^\\circF=1
angle: rad=1 radian=1 \ndegrees: ^\\circ=1 degree=1 deg=1 \nspeed: mph=1 \nspeed in km: kmph=1 kph=1
distance of stars: pc=1 ly=1 au=1
any: unit=1
morning: am=1 \nafternoon: pm=1
"""
# words after a number that are no unit, because they change its value
NOT_UNITS = frozenset(
    """and or to plus minus times over mod choose half halves third thirds fourth fourths quarter quarters fifth fifths
    sixth sixths seventh sevenths eighth eighths ninth ninths tenth tenths twelfths twentieths hundredth hundredths
    thousandths squared cubed factorial sqrt sin cos tan cot sec csc log exp inf theta alpha beta gamma lambda delta omega
    sigma phi dozen dozens hundred hundreds thousand thousands million millions billion billions trillion trillions pair
    pairs score gross below negative not but base infinity""".split()  # noqa: SIM905
)
_NOT_UNITS_CJK = frozenset("万亿千百十半多余几或和与至到以之点负加减乘除左右")


class Unit(NamedTuple):
    """A stated unit: its quantity and its factor, both empty where the table does not have it."""

    quantity: tuple[tuple[str, int], ...] | None = None
    factor: Fraction = Fraction(1)


def conversion(gold: Unit | None, answer: Unit | None) -> Fraction | None:
    """What the answer's number is multiplied by to be in the true unit, None where the units contradict each other.

    1 where one is not stated or not known, and where a compound unit may be another name for the other (N m and J).
    """
    if gold is None or answer is None or gold.quantity is None or answer.quantity is None:
        return Fraction(1)
    if gold.quantity == answer.quantity:
        return answer.factor / gold.factor
    return None if len(gold.quantity) == len(answer.quantity) == 1 else Fraction(1)


def _read_table() -> dict[str, tuple[str, Fraction]]:
    table: dict[str, tuple[str, Fraction]] = {}
    quantity = ""
    for line in _TABLE.strip().splitlines():
        name, _, rest = line.rpartition(":")
        quantity = name.strip() or quantity
        for entry in rest.split():
            symbol, _, factor = entry.partition("=")
            table[symbol] = (quantity, Fraction(factor))
            if len(symbol) > 3 and symbol.isalpha():
                table[symbol + "s"] = table[symbol]
    return table


_UNITS = _read_table()
_SYMBOL = "|".join(re.escape(symbol) for symbol in sorted(_UNITS, key=len, reverse=True))
_SYMBOL = _SYMBOL.replace(r"\^\\circ", r"\^\\circ\s*").replace(r"\\mum", r"\\mu\s*m")
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
_MAY_BE_SYMBOLS = _LETTERS | frozenset("mg ms ns ml mL mV mA nm kV kN kW kJ cl pc Pa MW MJ mm".split())
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
        if unit is not None and body and not body.endswith(("\\", "^", "_", "{", "(", "+", "-", "*", "/", "=")):
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
    bare = re.sub(r"\s*[\"()]\s*", " ", tail).strip() if "(" in tail else tail.replace('"', " ").strip()
    found = _ANY_TAIL.fullmatch(bare)
    if found is None:
        return None
    unit = found["unit"]
    words = re.findall(r"[^\W\d_]+", unit)
    known = bool(_COMPOUND_TAIL.fullmatch(bare))
    if not known and not NOT_UNITS.isdisjoint(word.casefold() for word in words):
        return None
    if not _NOT_UNITS_CJK.isdisjoint(unit) and not unit.startswith("千") or "分之" in unit:
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
            quantity, scale = _UNITS[re.sub(r"\s", "", symbol[0])]
            power = _POWER.search(match["unit"][symbol.end() :])
            exponent = sign * prefix * (int(power[1]) if power else 1)
            powers[quantity] = powers.get(quantity, 0) + exponent
            factor *= scale**exponent
            prefix = 1
    return Unit(tuple(sorted(powers.items())), factor)
