"""How sure a mean over problems is: percentile bootstrap intervals, for one condition and for the difference of two.

Problems are resampled with replacement, since another benchmark would have had other problems. Two conditions are
compared on the same problems, resampled together: what makes a problem hard then cancels out. Where there are several
seeds they are resampled, too, since another training run would have landed elsewhere (two levels: seeds, then
problems); two conditions with the same seeds share the seeds that are drawn. Of two or three seeds that is a rough
guess: a resample then often holds one seed alone.

    >>> bootstrap_interval([0.5, 0.0, 1.0, 0.25])
    Interval(estimate=0.4375, low=0.125, high=0.8125, num_problems=4)
    >>> paired_bootstrap([0.5, 0.0, 1.0, 0.25], [0.25, 0.0, 0.5, 0.25]).share_above_zero
    0.936

With one problem, or with all values equal, an interval has no width: there is no spread to see. Show `num_problems`
beside it.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepalign.core.errors import ConfigError, DataError, ShapeError

Values = Sequence[float] | Sequence[Sequence[float]] | NDArray[Any]
BATCH = 1000  # resamples drawn at once: bounds the memory


class Interval(NamedTuple):
    """The mean over problems and the ends of its interval, in the unit of the values."""

    estimate: float
    low: float
    high: float
    num_problems: int


class Difference(NamedTuple):
    """First condition minus second: as `Interval`, and the share (0 to 1) of resamples in which it is above 0."""

    estimate: float
    low: float
    high: float
    num_problems: int
    share_above_zero: float


def bootstrap_interval(
    values: Values, *, confidence: float = 0.95, num_resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Interval of the mean over problems, and over seeds where there are several.

    Args:
        values: (problems,), or (problems, seeds).
        confidence: share of resampled means inside the interval.
    Raises:
        DataError: no problem, or a value that is not finite. Leave out what could not be scored, and count it.
        ShapeError: neither one nor two dimensions.
        ConfigError: a confidence outside (0, 1), or no resamples.
    """
    table = _table(values)
    low, high = _percentiles(_resampled_means([table], num_resamples, seed)[0], confidence)
    return Interval(float(table.mean(axis=1).mean()), low, high, len(table))


def paired_bootstrap(
    first: Values, second: Values, *, confidence: float = 0.95, num_resamples: int = 10_000, seed: int = 0
) -> Difference:
    """Interval of the mean difference, first minus second, on the same problems in the same order.

    Args:
        first: (problems,), or (problems, seeds).
        second: as first. Where the numbers of seeds agree they are the same seeds in the same order; where they differ,
            each side's are resampled by themselves.
        confidence: share of resampled differences inside the interval.
    Raises:
        ShapeError: the numbers of problems differ.
        Others as in `bootstrap_interval`.
    """
    one, two = _table(first), _table(second)
    if len(one) != len(two):
        raise ShapeError(f"a paired comparison needs the same problems; got {len(one)} and {len(two)}.")
    if one.shape == two.shape:
        means = _resampled_means([one - two], num_resamples, seed)[0]
    else:
        of_first, of_second = _resampled_means([one, two], num_resamples, seed)
        means = of_first - of_second
    low, high = _percentiles(means, confidence)
    differences = one.mean(axis=1) - two.mean(axis=1)
    return Difference(float(differences.mean()), low, high, len(differences), float((means > 0).mean()))


def harmonic_bootstrap(
    first: Values, second: Values, *, confidence: float = 0.95, num_resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Interval of the harmonic mean of two means over different problems, each side resampled by itself.

    Args:
        first: (problems,), or (problems, seeds); not negative.
        second: as first, of other problems.
        confidence: share of resampled harmonic means inside the interval.
    Returns:
        0 where a mean is 0; `num_problems` counts both sides.
    Raises:
        As `bootstrap_interval`.
    """
    tables = _table(first), _table(second)
    means = (_resampled_means([table], num_resamples, seed + i)[0] for i, table in enumerate(tables))
    low, high = _percentiles(_harmonic(*means), confidence)
    estimate = _harmonic(*(table.mean(axis=1).mean(keepdims=True) for table in tables))
    return Interval(float(estimate[0]), low, high, sum(map(len, tables)))


def _harmonic(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(2 * a * b, a + b, out=np.zeros_like(a), where=a + b > 0)


def _table(values: Values) -> NDArray[np.float64]:
    """(problems, seeds)."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2):
        raise ShapeError(f"values have shape {array.shape}; expected (problems,) or (problems, seeds).")
    if array.size == 0:
        raise DataError("no values to take an interval of; expected at least one problem.")
    if not np.isfinite(array).all():
        raise DataError("a value is not finite; leave out problems that could not be scored, and count them.")
    return array.reshape(len(array), -1)


def _resampled_means(tables: Sequence[NDArray[np.float64]], num_resamples: int, seed: int) -> list[NDArray[np.float64]]:
    """Of each table (problems, seeds of its own) the means of the resamples; problems are drawn once for all tables."""
    if num_resamples < 1:
        raise ConfigError(f"num_resamples is {num_resamples}; expected at least 1.")
    num_problems = len(tables[0])
    of_problems, of_seeds = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    means: list[list[NDArray[np.float64]]] = [[] for _ in tables]
    for done in range(0, num_resamples, BATCH):
        size = min(BATCH, num_resamples - done)
        draw = of_problems.integers(num_problems, size=(size, num_problems))
        for table, own in zip(tables, means, strict=True):
            by_seed = table[draw].mean(axis=1)  # (size, seeds)
            num_seeds = len(table[0])
            seeds = of_seeds.integers(num_seeds, size=(size, num_seeds))
            own.append(np.take_along_axis(by_seed, seeds, axis=1).mean(axis=1))
    return [np.concatenate(own) for own in means]


def _percentiles(means: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence is {confidence}; expected a share between 0 and 1.")
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
