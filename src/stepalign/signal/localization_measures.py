"""What scores of labelled rollouts say: the measures of each rollout, and their means with intervals over rollouts.

    mean_correct  mean A_t over the tokens of the correct steps, nats: those before the first wrong one, or all
    mean_wrong    the same over the first wrong step
    min_wrong     its lowest A_t
    auroc_step    share of the correct steps whose mean A_t is above the wrong step's, ties half; 0.5 is chance
    hit_rate      1 where of all steps the wrong one has the token with the lowest A_t, ties shared
    chance        what `hit_rate` would be by chance: 1 over the number of steps

A rollout without a wrong step counts in `mean_correct` alone; one whose first step is wrong counts in neither
`mean_correct` nor `auroc_step`, since nothing correct stands before it. Every mean says over how many rollouts it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import Any

from stepalign.core.token_classes import TOKEN_CLASSES, TokenClass
from stepalign.maths.intervals import bootstrap_interval
from stepalign.maths.localization import localization, lowest_step_hit, step_auroc

MEASURES = ("mean_correct", "mean_wrong", "min_wrong", "auroc_step", "hit_rate", "chance")
PLACES = (1, 2, 3, 4)  # first wrong steps that have a group of their own; the others share one
NUM_STEPS = ((1, 4), (5, 6), (7, 8))  # groups of the number of steps; the longer ones share one
PARTS = ("correct", "wrong")  # of a rollout: its correct steps, its first wrong one
RESAMPLES, RESAMPLES_OF_PARTS = 10_000, 1_000


@dataclass(frozen=True)
class Known:
    """What is known of a rollout: the step of each token (None outside the steps), its class, the first wrong step."""

    token_steps: Sequence[int | None]
    token_classes: Sequence[TokenClass]
    first_wrong_step: int | None

    @property
    def place(self) -> str:
        """Its group by the place of the error."""
        wrong = self.first_wrong_step
        return "none" if wrong is None else str(wrong) if wrong in PLACES else f"{PLACES[-1] + 1}+"

    @property
    def length(self) -> str:
        """Its group by the number of steps."""
        count = len({step for step in self.token_steps if step is not None})
        group = next((f"{low}-{high}" for low, high in NUM_STEPS if low <= count <= high), None)
        return group or f"{NUM_STEPS[-1][1] + 1}+"


def measures_of(advantage: Sequence[float], known: Known) -> dict[str, float | None]:
    """The measures of one rollout under one context, None where it has none."""
    steps, wrong = known.token_steps, known.first_wrong_step
    where, hit = localization(advantage, steps, wrong), lowest_step_hit(advantage, steps, wrong)
    found = {name: getattr(where, name) for name in ("mean_correct", "mean_wrong", "min_wrong")}
    found["auroc_step"] = step_auroc(advantage, steps, wrong)
    return found | {"hit_rate": hit.hit if hit else None, "chance": hit.chance if hit else None}


def class_means(advantage: Sequence[float], known: Known) -> dict[tuple[str, str], float]:
    """Mean A_t by class of token and part of the rollout ("correct", "wrong"), where there is such a token."""
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    wrong = known.first_wrong_step
    for value, step, kind in zip(advantage, known.token_steps, known.token_classes, strict=True):
        if step is not None and (wrong is None or step <= wrong):
            values[kind, "wrong" if step == wrong else "correct"].append(value)
    return {key: fsum(group) / len(group) for key, group in values.items()}


Values = dict[str, list[tuple[int, float]]]  # of each measure; with the rollout's number, which orders them


def _values() -> Values:
    return defaultdict(list)


@dataclass
class Collected:
    """The values of one condition as they come in, a number a rollout."""

    num_rollouts: int = 0
    overall: Values = field(default_factory=_values)
    places: dict[str, Values] = field(default_factory=lambda: defaultdict(_values))
    lengths: dict[str, Values] = field(default_factory=lambda: defaultdict(_values))
    classes: dict[str, Values] = field(default_factory=lambda: defaultdict(_values))

    def add(self, number: int, advantage: Sequence[float], known: Known) -> None:
        """Take in one rollout; rollouts may come in any order."""
        self.num_rollouts += 1
        for name, value in measures_of(advantage, known).items():
            if value is not None:
                for group in (self.overall, self.places[known.place], self.lengths[known.length]):
                    group[name].append((number, value))
        for (kind, part), mean in class_means(advantage, known).items():
            self.classes[kind][part].append((number, mean))

    def summary(self) -> dict[str, Any]:
        """The condition's entry of `localization.json`."""
        return {
            "num_rollouts": self.num_rollouts,
            **_means(self.overall, MEASURES, RESAMPLES),
            "by_place": {place: _means(self.places[place], MEASURES) for place in sorted(self.places)},
            "by_num_steps": {length: _means(self.lengths[length], MEASURES) for length in sorted(self.lengths)},
            "token_classes": {kind: _means(self.classes[kind], PARTS) for kind in TOKEN_CLASSES},
        }


def collect(rows: Iterable[Mapping[str, Any]], known: Mapping[tuple[str, int], Known]) -> dict[str, Collected]:
    """The values of each condition.

    Args:
        rows: of `scores.jsonl`; those about other rollouts are left out.
        known: the rollouts by problem and sample, in their order.
    """
    numbers = {key: number for number, key in enumerate(known)}
    found: dict[str, Collected] = defaultdict(Collected)
    for row in rows:
        key = row["problem_id"], row["sample"]
        if row["status"] == "ok" and key in known:
            found[row["format"]].add(numbers[key], row["advantage"], known[key])
    return found


def _means(values: Values, names: Sequence[str], num_resamples: int = RESAMPLES_OF_PARTS) -> dict[str, Any]:
    return {name: _mean([value for _, value in sorted(values.get(name, []))], num_resamples) for name in names}


def _mean(values: Sequence[float], num_resamples: int) -> dict[str, Any]:
    """A mean over rollouts with its 95 % interval; None where there is no value."""
    if not values:
        return {"value": None, "ci95": None, "num_rollouts": 0}
    found = bootstrap_interval(values, num_resamples=num_resamples)
    return {"value": found.estimate, "ci95": [found.low, found.high], "num_rollouts": len(values)}
