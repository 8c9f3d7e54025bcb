"""Where along a response does a context act: on the step that went wrong, or everywhere?

A context that localizes leaves the correct steps alone and pushes the first wrong step down. All figures are of one
response under one context, from its A_t (nats) and the step of each token; no model is needed.

    >>> advantage, token_steps = [0.1, 0.2, -0.1, 0.0, -4.0], [None, 1, 1, 2, 2]
    >>> where = localization(advantage, token_steps, first_wrong_step=2)
    >>> where.auroc, where.mean_correct, round(where.negative_mass_share, 2)
    (0.8333333333333334, 0.05, 0.98)
    >>> step_statistics(advantage, token_steps)[1].mean
    -2.0

They describe; they do not test. One response has a handful of steps and its tokens are not independent: compare
contexts on the same response, or means over many responses, and leave single values alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import fsum
from typing import Any, NamedTuple, cast

from torch import Tensor

from stepalign.core.errors import DataError, ShapeError

PUSHED_DOWN = -0.5  # nats; below it the context makes the token 1.6 times less likely


@dataclass(frozen=True)
class StepStatistics:
    """A_t over the tokens of one step, nats; `step` counts from 1."""

    step: int
    mean: float
    sum: float
    min: float
    max: float
    num_tokens: int

    def to_json(self) -> dict[str, Any]:
        """The fields by name, as they are written to files."""
        return asdict(self)


@dataclass(frozen=True)
class Localization:
    """What `localization` finds. A correct step is one before the first wrong step; any, where none is wrong.

    Attributes:
        auroc: 0 to 1; how well -A_t tells the tokens of the first wrong step from the tokens before it, tags and text
            between steps included: the probability that a token of the step has the lower A_t, ties half. 0.5 is
            chance. It knows the order of the values alone: a push of 0.01 nats counts like one of 10. And it asks for
            all tokens of the step: where one of thirty is wrong and the others are reinforced like those before, it
            stays near 0.5 however sharp the context is. None where no step is wrong, the wrong one is the first, or it
            has no token.
        negative_mass_share: 0 to 1; of all that is pushed down in the response, sum(max(0, -A_t)), the share that lies
            in the first wrong step. A context that also rejects what follows from the error gets less than 1, rightly;
            so compare it with the step's share of tokens, `num_wrong / num_tokens`. None where no step is wrong, the
            step has no token, or nothing is pushed down.
        onset_share: 0 to 1; the same, of the response up to the end of the first wrong step: what follows from the
            error is left out. Near 1: hardly anything is pushed down before the error. A share of little is still a
            share, so read it with `min_wrong`. None as `negative_mass_share`.
        mean_correct: nats; mean A_t over the tokens of correct steps. Near or above 0: the context leaves them alone.
            None where no correct step has a token.
        pushed_down_rate: 0 to 1; share of those tokens with A_t below -0.5 nats. None as `mean_correct`.
        min_correct: nats; the lowest A_t among those tokens. The more tokens, the lower. None as `mean_correct`.
        mean_wrong: nats; mean A_t over the tokens of the first wrong step. A few wrong tokens among many right ones
            leave it near 0. None where no step is wrong or it has no token.
        min_wrong: nats; the lowest A_t among those tokens, under aligned feedback that of the error itself. Compare it
            with `min_correct`: feedback that pushes everything down has low ones anywhere. None as `mean_wrong`.
        first_token: nats; A_t of the response's first token. It is in `auroc` and the shares, and in no figure of the
            steps; a large one comes from the prompts' ends (a template that starts the answer or the thinking for one
            of the two), not from the feedback.
        num_tokens: of the response.
        num_correct: tokens in correct steps; None where the first wrong step is not known.
        num_wrong: tokens in the first wrong step; None where it is not known.
    """

    auroc: float | None = None
    negative_mass_share: float | None = None
    onset_share: float | None = None
    mean_correct: float | None = None
    pushed_down_rate: float | None = None
    min_correct: float | None = None
    mean_wrong: float | None = None
    min_wrong: float | None = None
    first_token: float | None = None
    num_tokens: int = 0
    num_correct: int | None = None
    num_wrong: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields by name, as they are written to files."""
        return asdict(self)


def localization(
    advantage: Sequence[float] | Tensor, token_steps: Sequence[int | None], first_wrong_step: int | None
) -> Localization:
    """The figures of one response under one context.

    Args:
        advantage: (T,) nats; A_t.
        token_steps: (T,) the step of each token, from 1 in the order of the text; None outside the steps.
        first_wrong_step: its number; None: every step is correct. If it is not known, take `unlocalized`.
    Raises:
        ShapeError: the two lists differ in length.
        DataError: the first wrong step is below 1.
    """
    values = _values(advantage, token_steps)
    if first_wrong_step is not None and first_wrong_step < 1:
        raise DataError(f"first wrong step is {first_wrong_step}; expected 1 or more, or None where none is wrong.")
    correct: list[float] = []
    wrong: list[float] = []
    for value, step in zip(values, token_steps, strict=True):
        if step is not None and (first_wrong_step is None or step < first_wrong_step):
            correct.append(value)
        elif step is not None and step == first_wrong_step:
            wrong.append(value)
    before = values[: list(token_steps).index(first_wrong_step)] if wrong and correct else []
    return Localization(
        auroc=_auroc(wrong, before),
        negative_mass_share=_share(wrong, values),
        onset_share=onset_share(values, token_steps, first_wrong_step),
        mean_correct=_mean(correct),
        pushed_down_rate=_mean([float(value < PUSHED_DOWN) for value in correct]),
        min_correct=min(correct, default=None),
        mean_wrong=_mean(wrong),
        min_wrong=min(wrong, default=None),
        first_token=values[0] if values else None,
        num_tokens=len(values),
        num_correct=len(correct),
        num_wrong=len(wrong),
    )


def onset_share(
    advantage: Sequence[float] | Tensor,
    token_steps: Sequence[int | None],
    first_wrong_step: int | None,
    least_push: float = 0.0,
) -> float | None:
    """`Localization.onset_share` alone.

    Args:
        advantage: (T,) nats; A_t.
        token_steps: (T,) the step of each token, from 1; None outside the steps.
        first_wrong_step: its number; None: no step is wrong, and there is no share.
        least_push: nats; where less than this is pushed down in all up to the end of the step, there is no share.
    Raises:
        ShapeError: the two lists differ in length.
    """
    values, steps = _values(advantage, token_steps), list(token_steps)
    if first_wrong_step is None or first_wrong_step not in steps:
        return None
    wrong = [value for value, step in zip(values, steps, strict=True) if step == first_wrong_step]
    until = values[: len(steps) - steps[::-1].index(first_wrong_step)]
    return _share(wrong, until) if _push(until) >= least_push else None


def unlocalized(advantage: Sequence[float] | Tensor) -> Localization:
    """What is left of A_t, (T,) nats, where nobody knows which step is wrong: the first token's, and their number."""
    first = float(advantage[0]) if len(advantage) else None
    return Localization(first_token=first, num_tokens=len(advantage))


def step_statistics(advantage: Sequence[float] | Tensor, token_steps: Sequence[int | None]) -> list[StepStatistics]:
    """A_t step by step, in order; a step without a token of its own is left out.

    Args:
        advantage: (T,) nats; A_t.
        token_steps: (T,) the step of each token, from 1; None outside the steps.
    Raises:
        ShapeError: the two lists differ in length.
    """
    by_step: dict[int, list[float]] = {}
    for value, step in zip(_values(advantage, token_steps), token_steps, strict=True):
        if step is not None:
            by_step.setdefault(step, []).append(value)
    return [
        StepStatistics(step, fsum(values) / len(values), fsum(values), min(values), max(values), len(values))
        for step, values in sorted(by_step.items())
    ]


def step_auroc(
    advantage: Sequence[float] | Tensor, token_steps: Sequence[int | None], first_wrong_step: int | None
) -> float | None:
    """How the first wrong step ranks among the correct steps before it, by the mean A_t of each.

    Args:
        advantage: (T,) nats; A_t.
        token_steps: (T,) the step of each token, from 1; None outside the steps.
        first_wrong_step: its number; None: no step is wrong.
    Returns:
        0 to 1: the share of the correct steps whose mean is above the wrong one's, ties half; 1: the context tells the
        wrong step from each of them, 0.5 is chance. None where no step is wrong, or none before it has a token.
    Raises:
        ShapeError: the two lists differ in length.
    """
    means = {found.step: found.mean for found in step_statistics(advantage, token_steps)}
    if first_wrong_step is None or first_wrong_step not in means:
        return None
    return _auroc([means[first_wrong_step]], [mean for step, mean in means.items() if step < first_wrong_step])


class Hit(NamedTuple):
    """Whether the lowest A_t falls into the first wrong step: 1 or 0, or a share where steps tie; by chance 1 of all
    steps that have a token."""

    hit: float
    chance: float


def lowest_step_hit(
    advantage: Sequence[float] | Tensor, token_steps: Sequence[int | None], first_wrong_step: int | None
) -> Hit | None:
    """Whether, of all steps of a response, the first wrong one has the token with the lowest A_t.

    Args:
        advantage: (T,) nats; A_t.
        token_steps: (T,) the step of each token, from 1; None outside the steps.
        first_wrong_step: its number; None: no step is wrong.
    Returns:
        None where no step is wrong, or the wrong one has no token.
    Raises:
        ShapeError: the two lists differ in length.
    """
    lowest = {found.step: found.min for found in step_statistics(advantage, token_steps)}
    if first_wrong_step is None or first_wrong_step not in lowest:
        return None
    least = min(lowest.values())
    tied = [step for step, value in lowest.items() if value == least]
    return Hit((first_wrong_step in tied) / len(tied), 1 / len(lowest))


def _auroc(wrong: Sequence[float], before: Sequence[float]) -> float | None:
    """The probability that a value of `wrong` is below one of `before`, ties half; None where either is empty."""
    if not wrong or not before:
        return None
    ordered = sorted(before)
    wins = sum(2 * len(ordered) - bisect_left(ordered, x) - bisect_right(ordered, x) for x in wrong)
    return wins / (2 * len(wrong) * len(ordered))


def _share(part: Sequence[float], whole: Sequence[float]) -> float | None:
    """Of what is pushed down in the whole, the share in the part; None where the part is empty or there is nothing."""
    mass = _push(whole)
    return _push(part) / mass if part and mass else None


def _push(values: Sequence[float]) -> float:
    """How far values are pushed down in all, nats."""
    return fsum(max(0.0, -value) for value in values)


def _mean(values: Sequence[float]) -> float | None:
    return fsum(values) / len(values) if values else None


def _values(advantage: Sequence[float] | Tensor, token_steps: Sequence[int | None]) -> list[float]:
    """A_t as plain numbers, as many as there are steps."""
    numbers: Sequence[float] = cast("Any", advantage).tolist() if isinstance(advantage, Tensor) else advantage
    values = [float(value) for value in numbers]
    if len(values) != len(token_steps):
        raise ShapeError(f"advantage and token_steps must agree in length; got {len(values)} and {len(token_steps)}.")
    return values
