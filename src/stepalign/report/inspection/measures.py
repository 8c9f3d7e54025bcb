"""The measures of an inspection in words: name, one line that says how to read it, and how its number is written.

>>> for measure in MEASURES[:2]:
...     print(measure.name, measure.read(result["contexts"]["stepalign"]))
Mean A_t on correct steps +0.11
Correct tokens pushed down 0 %
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

MISSING = "–"
ContextEntry = Mapping[str, Any]  # an entry of `contexts` in advantage.json


def number(value: float | None) -> str:
    """Nats or the like, with a sign and two decimals."""
    return MISSING if value is None else f"{value:+z.2f}".replace("-", "−")


def plain(value: float | None) -> str:
    """Two decimals, no sign."""
    return MISSING if value is None else f"{value:.2f}"


def share(value: float | None) -> str:
    """0 to 1 as percent."""
    return MISSING if value is None else f"{100 * value:.0f} %"


def yes_no(value: bool | None) -> str:
    """In a word."""
    return MISSING if value is None else "yes" if value else "no"


class Measure(NamedTuple):
    """`value` finds a context's value, None where it has none; `write` makes it text."""

    name: str
    meaning: str
    value: Callable[[ContextEntry], Any]
    write: Callable[[Any], str]

    def read(self, context: ContextEntry) -> str:
        """The value of a context as text."""
        return self.write(self.value(context))


def _localization(key: str) -> Callable[[ContextEntry], Any]:
    return lambda context: context["localization"][key]


def _alignment(key: str) -> Callable[[ContextEntry], Any]:
    return lambda context: context["alignment"][key]


def _token_share(context: ContextEntry) -> float | None:
    num_wrong, num_tokens = _localization("num_wrong")(context), _localization("num_tokens")(context)
    return num_wrong / num_tokens if num_wrong else None


MEASURES = (
    Measure(
        "Mean A_t on correct steps",
        "nats; above 0: what is right is reinforced; below 0: the context unlearns it",
        _localization("mean_correct"),
        number,
    ),
    Measure(
        "Correct tokens pushed down",
        "share of the correct steps' tokens with A_t below -0.5 nats",
        _localization("pushed_down_rate"),
        share,
    ),
    Measure(
        "Lowest A_t in correct steps",
        "nats; a context that pushes everything down has low ones anywhere",
        _localization("min_correct"),
        number,
    ),
    Measure(
        "Mean A_t on the first wrong step",
        "nats; one wrong token among many right ones leaves it near 0, so look at the lowest as well",
        _localization("mean_wrong"),
        number,
    ),
    Measure(
        "Lowest A_t in the first wrong step",
        "nats; under aligned feedback that of the error itself",
        _localization("min_wrong"),
        number,
    ),
    Measure(
        "AUROC of the first wrong step",
        "how well -A_t tells all its tokens from those before it; 0.5 is chance, or one wrong token among many right",
        _localization("auroc"),
        plain,
    ),
    Measure(
        "Suppression in the first wrong step",
        "share of all suppression in the response",
        _localization("negative_mass_share"),
        share,
    ),
    Measure(
        "The same up to the end of that step",
        "what follows from the error is left out; near 100 %: hardly anything is pushed down before the error",
        _localization("onset_share"),
        share,
    ),
    Measure("Its share of the tokens", "the suppression it would have without any aim", _token_share, share),
    Measure(
        "A_t of the first token",
        "nats; a large one comes from how the two prompts end, not from what the context says",
        _localization("first_token"),
        number,
    ),
    Measure(
        "Correct text reproduced",
        "share of the correct steps' characters that stand in the context, verbatim and in order",
        _alignment("overall"),
        share,
    ),
    Measure(
        "Quotes the wrong step",
        "a context that quotes it verbatim makes the teacher copy the error",
        _alignment("quotes_wrong_step"),
        yes_no,
    ),
)
