"""Numbers, and lists of words, as the report writes them, in the tables as in the sentences.

>>> percent(0.3583), count(7_812_345), duration(154)
('35.8', '7.81 M', '2 min 34 s')
"""

from __future__ import annotations

from collections.abc import Sequence

MISSING = "–"
SHOWN = 160  # characters of a text in a table


def percent(value: float | None) -> str:
    """A share as percent with one decimal, without the sign."""
    return MISSING if value is None else f"{100 * value:.1f}"


def percent_interval(bounds: Sequence[float | None] | None) -> str:
    """Two shares as `12.5 to 40.0`; empty where there is no interval."""
    if bounds is None or None in bounds:
        return ""
    return f"{percent(bounds[0])} to {percent(bounds[1])}"


def points(value: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * value:+.1f}".replace("-", "−")


def count(value: float | None) -> str:
    """A count, shortened from ten thousand on."""
    if value is None:
        return MISSING
    for limit, unit, name in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= limit:
            return f"{float(f'{value / unit:.3g}'):g} {name}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def duration(seconds: float | None) -> str:
    """Seconds in the largest one or two units that fit."""
    if seconds is None:
        return MISSING
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    if minutes >= 10:
        return f"{minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def listing(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def shortened(text: str | None) -> str:
    """The beginning of a text, on one line."""
    words = " ".join((text or MISSING).split())
    return words if len(words) <= SHOWN else f"{words[: SHOWN - 1]}…"
