"""What a problem of the code world asks for: one loop with an update, perhaps a guard, and statements behind it.

>>> spec = Spec(start=3, low=1, update=Update("+", 2), guard=Guard("at least", 4), otherwise=Update("-", 3))
>>> spec.text
'Write f(n). Start with 3. For each i from 1 to n: if i is at least 4, add 2 times i, otherwise take away 3.'
>>> [spec.run(n) for n in range(6)]
[3, 0, -3, -6, 2, 12]
>>> parse_spec(spec.text) == spec
True

Each part that is easily got wrong is a chance: the end of the range, how strict the guard is, the sign of each update.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, NamedTuple

from stepalign.core.errors import DataError

Sign = Literal["+", "-"]
SIGNS: dict[str, Sign] = {"add": "+", "take away": "-"}
COMPARISONS = {"at least": ">=", "over": ">", "at most": "<=", "under": "<"}
SLIPS = {">=": ">", ">": ">=", "<=": "<", "<": "<="}  # too strict, or not strict enough
TESTED = range(10)  # the arguments that the tests call f with
BOUND, GUARD, UPDATE, OTHERWISE = (
    "bound",
    "guard",
    "update",
    "otherwise",
)  # chances; those behind the loop are "after 0"


class Update(NamedTuple):
    """Add or take away a number; inside the loop's main branch that number times the loop's variable."""

    sign: Sign
    number: int


class Guard(NamedTuple):
    """A condition on the loop's variable, in words."""

    words: str
    number: int


@dataclass(frozen=True)
class Spec:
    """A function: `start`, then for each i from `low` to n an update where the guard holds, then `after`."""

    start: int
    low: int
    update: Update
    guard: Guard | None = None
    otherwise: Update | None = None
    after: tuple[Update, ...] = ()

    @property
    def chances(self) -> tuple[str, ...]:
        """The parts where the solver slips."""
        guard = (GUARD,) if self.guard else ()
        otherwise = (OTHERWISE,) if self.otherwise else ()
        return (BOUND, *guard, UPDATE, *otherwise, *(f"after {k}" for k in range(len(self.after))))

    @property
    def text(self) -> str:
        """The problem in words, which `parse_spec` reads back."""
        body = f"{_words(self.update)} times i"
        if self.guard is not None:
            body = f"if i is {self.guard.words} {self.guard.number}, {body}"
        if self.otherwise is not None:
            body = f"{body}, otherwise {_words(self.otherwise)}"
        parts = [f"Write f(n). Start with {self.start}. For each i from {self.low} to n: {body}."]
        return " ".join([*parts, *(f"Then {_words(update)}." for update in self.after)])

    def run(self, n: int, slips: Collection[str] = ()) -> int:
        """What f(n) returns; with `slips`, what it returns when these chances are got wrong."""
        value = self.start
        for i in range(self.low, n + (BOUND not in slips)):
            if self.guard is None or _holds(i, self.guard, GUARD in slips):
                value += _signed(self.update, UPDATE in slips) * i
            elif self.otherwise is not None:
                value += _signed(self.otherwise, OTHERWISE in slips)
        return value + sum(_signed(update, f"after {k}" in slips) for k, update in enumerate(self.after))

    def values(self, slips: Collection[str] = ()) -> list[int]:
        """What the tests see."""
        return [self.run(n, slips) for n in TESTED]

    @property
    def shows_each_slip(self) -> bool:
        """Whether each chance, got wrong by itself, fails a test."""
        return all(self.values((chance,)) != self.values() for chance in self.chances)


def parse_spec(text: str) -> Spec:
    """Read a spec back from its text.

    Raises:
        DataError: the text is no problem of the code world.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise DataError(f"not a problem of the code world: {text[:60]!r}; expected 'Write f(n). Start with …'.")
    guard = Guard(match["words"], int(match["number"])) if match["words"] else None
    otherwise = _update(match["otherwise"]) if match["otherwise"] else None
    after = tuple(_update(part) for part in re.findall(r"Then ([a-z ]+ \d+)\.", match["after"]))
    return Spec(int(match["start"]), int(match["low"]), _update(match["update"]), guard, otherwise, after)


def _words(update: Update) -> str:
    verb = next(verb for verb, sign in SIGNS.items() if sign == update.sign)
    return f"{verb} {update.number}"


def _update(text: str) -> Update:
    verb, _, number = text.rpartition(" ")
    return Update(SIGNS[verb], int(number))


def _signed(update: Update, slips: bool) -> int:
    return -update.number if (update.sign == "-") != slips else update.number


def _holds(i: int, guard: Guard, slips: bool) -> bool:
    comparison = COMPARISONS[guard.words]
    comparison = SLIPS[comparison] if slips else comparison
    inclusive = "=" in comparison and i == guard.number
    return inclusive or (i > guard.number if comparison[0] == ">" else i < guard.number)


_VERB = "(?:add|take away)"
_TEXT = re.compile(
    r"Write f\(n\)\. Start with (?P<start>\d+)\. For each i from (?P<low>\d+) to n: "
    rf"(?:if i is (?P<words>{'|'.join(COMPARISONS)}) (?P<number>\d+), )?(?P<update>{_VERB} \d+) times i"
    rf"(?:, otherwise (?P<otherwise>{_VERB} \d+))?\.(?P<after>(?: Then {_VERB} \d+\.)*)"
)
