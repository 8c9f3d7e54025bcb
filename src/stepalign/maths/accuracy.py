"""pass@k, maj@k and avg@k of one problem from n graded samples; a benchmark's figure is the mean over its problems.

All three are expectations over k samples drawn from the n without replacement, computed exactly: they need no seed and
do not depend on the order of the samples. With k = n they are what their names say of these n samples.

    >>> round(pass_at_k(num_samples=12, num_correct=3, k=4), 3)
    0.745
    >>> avg_at_k(num_samples=12, num_correct=3, k=12)
    0.25
    >>> maj_at_k(["7", "7", "9", None], [True, True, False, False], k=4)
    1.0
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from fractions import Fraction
from math import comb

from stepalign.core.errors import ConfigError, ShapeError


def pass_at_k(num_samples: int, num_correct: int, k: int) -> float:
    """Probability that at least one of k samples is correct.

    Raises:
        ConfigError: k is not between 1 and the number of samples, or more are correct than there are.
    Source: the unbiased estimator of Chen et al. 2021, arXiv 2107.03374.
    """
    _check(num_samples, num_correct, k)
    return float(1 - Fraction(comb(num_samples - num_correct, k), comb(num_samples, k)))


def avg_at_k(num_samples: int, num_correct: int, k: int) -> float:
    """Expected share of correct ones among k samples: the share among all n, whatever k.

    Raises:
        ConfigError: as `pass_at_k`.
    """
    _check(num_samples, num_correct, k)
    return num_correct / num_samples


def maj_at_k(groups: Sequence[Hashable | None], correct: Sequence[bool], k: int) -> float:
    """Probability that the most frequent answer among k samples is correct.

    Answers that tie for most frequent share the vote equally. A sample without an answer votes for none; where none
    has one, the majority is wrong.

    Args:
        groups: of each sample the answer, equal for answers that mean the same; None if unparseable or timed out.
        correct: of each sample whether it is correct. Should samples of one group differ, the group counts as the share
            of them that is correct.
        k: how many samples vote.
    Raises:
        ShapeError: groups and correct differ in length.
        ConfigError: k is not between 1 and the number of samples.
    """
    if len(groups) != len(correct):
        raise ShapeError(f"groups and correct must agree in length; got {len(groups)} and {len(correct)}.")
    _check(len(groups), sum(correct), k)
    votes = Counter(group for group in groups if group is not None)
    right = Counter(
        group for group, is_correct in zip(groups, correct, strict=True) if is_correct and group is not None
    )
    num_silent = len(groups) - votes.total()
    wins = sum(
        Fraction(right[group], size) * _won_draws(size, [votes[g] for g in votes if g != group], num_silent, k)
        for group, size in votes.items()
        if right[group]
    )
    return float(wins / comb(len(groups), k))


def _won_draws(size: int, rivals: list[int], num_silent: int, k: int) -> Fraction:
    """How many of the draws of k samples a group of `size` wins; of a tie between t groups, 1/t.

    For each number of its own votes, the rivals' votes are chosen one rival after the other, none above that number.
    """
    total = Fraction(0)
    for own in range(1, min(size, k) + 1):
        ways = Counter({(k - own, 1): comb(size, own)})  # (samples still to draw, groups that tie): number of ways
        later = sum(rivals) + num_silent
        for rival in rivals:
            later -= rival
            before, ways = ways, Counter[tuple[int, int]]()
            for (rest, ties), count in before.items():
                for votes in range(max(0, rest - later), min(rival, own, rest) + 1):
                    ways[rest - votes, ties + (votes == own)] += count * comb(rival, votes)
        for (rest, ties), count in ways.items():
            total += Fraction(count * comb(num_silent, rest), ties)
    return total


def _check(num_samples: int, num_correct: int, k: int) -> None:
    if not 1 <= k <= num_samples:
        raise ConfigError(f"k is {k} with {num_samples} samples; expected 1 to {num_samples}. Draw more samples.")
    if not 0 <= num_correct <= num_samples:
        raise ConfigError(f"{num_correct} of {num_samples} samples are correct; expected 0 to {num_samples}.")
