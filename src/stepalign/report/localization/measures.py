"""The measures of a localization in words, how their numbers are written, and notes on them.

    >>> MEASURES["AUROC of the step"]({"auroc_step": {"value": 1.0, "ci95": [0.98, 1.0], "num_rollouts": 30}})
    '1.00 [0.98, 1.00]'

A summary is an entry of `conditions` in `localization.json`, or one of its groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

MISSING = "–"
FEW = 10  # rollouts; below, a bootstrap over them says little
Summary = Mapping[str, Any]
MICRO = "The micro world is constructed: its numbers are no evidence about language models at large."


def _measure(key: str, sign: str = "", scale: int = 1) -> Callable[[Summary], str]:
    return lambda summary: mean(summary[key], sign, scale)


def mean(entry: Mapping[str, Any], sign: str = "", scale: int = 1) -> str:
    """A mean with its interval; with `scale` 100 as percent."""
    if entry["value"] is None:
        return MISSING
    form = f"{sign}z.{0 if scale == 100 else 2}f"
    value, low, high = (f"{scale * number:{form}}" for number in (entry["value"], *entry["ci95"]))
    return f"{value} [{low}, {high}]"


def _beside_chance(summary: Summary) -> str:
    chance = summary["chance"]["value"]
    return mean(summary["hit_rate"], scale=100) + ("" if chance is None else f" ({100 * chance:.0f})")


MEASURES: dict[str, Callable[[Summary], str]] = {
    "rollouts": lambda summary: str(summary["num_rollouts"]),
    "correct steps": _measure("mean_correct", "+"),
    "first wrong step": _measure("mean_wrong", "+"),
    "its lowest token": _measure("min_wrong", "+"),
    "AUROC of the step": _measure("auroc_step"),
    "lowest of all, % (chance)": _beside_chance,
}
MEANINGS = {
    "correct steps": "Mean A_t over the tokens of the steps before the first wrong one (of all, where none is wrong).",
    "first wrong step": "Mean A_t over its tokens.",
    "its lowest token": "The lowest A_t in it.",
    "AUROC of the step": "Share of the correct steps before it with a higher mean A_t; 0.5 is chance.",
    "lowest of all, % (chance)": "Rollouts whose first wrong step has, of all steps, the token with the lowest "
    "A_t; in brackets what it would be by chance, the mean of 1 over the number of steps.",
}


def notes(result: Mapping[str, Any]) -> list[str]:
    """What a reader of the numbers should know."""
    conditions: Mapping[str, Summary] = result["conditions"]
    first, right = result["num_wrong_at_first_step"], result["num_right"]
    found: list[str] = []
    if result["critiques"]:
        found.append(f"Critiques: {result['critiques']}.")
    if first:
        found.append(
            f"{first} rollouts go wrong in their first step: nothing correct stands before it to compare with."
        )
    if right:
        found.append(f"{right} rollouts have no wrong step: they count among the correct steps alone.")
    for name, of in conditions.items():
        if of["num_without_context"]:
            lacks = f": they lack {of['lacks']}" if of["lacks"] else ""
            found.append(f"{name}: {of['num_without_context']} rollouts have no context{lacks}.")
        if of["num_too_long"]:
            found.append(f"{name}: {of['num_too_long']} rollouts do not fit the model's context window or the limit.")
    if result["num_rollouts"] < FEW:
        found.append(f"{result['num_rollouts']} rollouts are few: the intervals are too narrow.")
    return [*found, MICRO] if result["model"] == "micro" else found
