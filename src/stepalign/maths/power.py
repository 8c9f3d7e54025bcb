"""How small a difference between two conditions a comparison can resolve, before it is run.

Both conditions answer the same problems, n samples each, trained with the same seeds. The variance of their measured
difference has three parts:

    var = (SPREAD^2 + 2 p (1 - p) / (n S)) / P + 2 SEED_SPREAD^2 / S

P problems, n samples a problem, S seeds; SPREAD: how much the true difference varies from problem to problem;
p (1 - p): of one response, at most 1/4; SEED_SPREAD: how much a condition's accuracy varies from seed to seed. A
difference of 2.8 standard errors is found in 80 % of the cases by an interval of 95 % that excludes 0.

    >>> round(detectable_difference(num_problems=60, num_samples=12, num_seeds=3), 3)
    0.096
"""

from __future__ import annotations

from math import sqrt

from stepalign.core.errors import ConfigError

FACTOR = 1.96 + 0.84  # standard errors: two-sided 5 %, power 80 %
SPREAD = 0.2
SEED_SPREAD = 0.02


def detectable_difference(
    num_problems: int,
    num_samples: int,
    num_seeds: int = 1,
    *,
    spread: float = SPREAD,
    seed_spread: float = SEED_SPREAD,
    accuracy: float = 0.5,
) -> float:
    """The smallest difference in avg@n, a share, that is resolved with 80 % power at 95 % confidence.

    Args:
        spread: standard deviation over problems of the true difference.
        seed_spread: standard deviation over seeds of a condition's accuracy.
        accuracy: of one response; 0.5 is the worst case.
    Raises:
        ConfigError: a number below 1.
    """
    for name, value in (("problems", num_problems), ("samples", num_samples), ("seeds", num_seeds)):
        if value < 1:
            raise ConfigError(f"number of {name}: got {value}; expected at least 1.")
    of_samples = 2 * accuracy * (1 - accuracy) / (num_samples * num_seeds)
    return FACTOR * sqrt((spread**2 + of_samples) / num_problems + 2 * seed_spread**2 / num_seeds)
