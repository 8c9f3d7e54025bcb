"""Bootstrap intervals: hand-checkable cases, edge cases, and how often they hold what they promise."""

import numpy as np
import pytest

from stepalign.core.errors import ConfigError, DataError, ShapeError
from stepalign.maths.intervals import bootstrap_interval, harmonic_bootstrap, paired_bootstrap


def test_two_problems_by_hand():
    # Resampled means are 0, 1/2 and 1 with probabilities 1/4, 1/2 and 1/4.
    assert bootstrap_interval([0, 1]) == (0.5, 0.0, 1.0, 2)
    assert bootstrap_interval([0, 1], confidence=0.4)[1:3] == (0.5, 0.5)
    assert paired_bootstrap([0, 1], [0, 0]).share_above_zero == pytest.approx(3 / 4, abs=0.02)


def test_one_problem_and_equal_values_have_no_width():
    assert bootstrap_interval([0.3]) == (0.3, 0.3, 0.3, 1)
    assert bootstrap_interval([0.25] * 5) == (0.25, 0.25, 0.25, 5)
    assert paired_bootstrap([0.25, 0.5], [0.25, 0.5]) == (0, 0, 0, 2, 0)


def test_a_constant_lead_is_certain_however_the_problems_vary():
    hard_and_easy = np.linspace(0, 0.75, 16)
    difference = paired_bootstrap(hard_and_easy + 0.25, hard_and_easy)
    assert difference[:3] == pytest.approx((0.25, 0.25, 0.25))
    assert difference.share_above_zero == 1


def test_seeds_are_resampled_as_well_as_problems():
    # one problem: the resampled means are those of two seeds drawn from {0, 1}
    assert bootstrap_interval([[0.0, 1.0]]) == (0.5, 0.0, 1.0, 1)
    assert bootstrap_interval([[0.0, 1.0]], confidence=0.4)[1:3] == (0.5, 0.5)
    # problems that agree: all the width comes from the seeds
    assert bootstrap_interval([[0.25, 0.75]] * 40)[:3] == (0.5, 0.25, 0.75)
    # seeds that agree: as if there were one
    alike = bootstrap_interval([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]])
    assert alike == pytest.approx(bootstrap_interval([0.0, 1.0, 0.5]), abs=1e-12)
    assert paired_bootstrap([[0.0, 1.0], [1.0, 1.0]], [0.5, 1.0]).estimate == 0


def test_conditions_with_the_same_seeds_share_those_that_are_drawn():
    # each seed leads by a quarter, whatever the seed's own level: nothing is left to chance
    first, second = [[0.25, 0.75]] * 3, [[0.0, 0.5]] * 3
    assert paired_bootstrap(first, second)[:3] == (0.25, 0.25, 0.25)
    # with other numbers of seeds they are drawn apart
    assert paired_bootstrap(first, [[0.0, 0.5, 0.25]] * 3).low < 0.25


def test_the_seed_decides():
    values = np.random.default_rng(1).random(30)
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values, seed=3)
    assert bootstrap_interval(values, seed=3) != bootstrap_interval(values, seed=4)


def test_width_is_that_of_the_normal_approximation():
    values = np.random.default_rng(0).random(400)
    interval = bootstrap_interval(values)
    expected = 1.96 * values.std() / 20
    assert interval.high - interval.estimate == pytest.approx(expected, rel=0.1)
    assert interval.estimate - interval.low == pytest.approx(expected, rel=0.1)


def test_errors():
    with pytest.raises(DataError, match="at least one problem"):
        bootstrap_interval([])
    with pytest.raises(DataError, match="not finite"):
        bootstrap_interval([0.1, float("nan")])
    with pytest.raises(ShapeError, match="expected \\(problems,\\)"):
        bootstrap_interval(np.zeros((2, 2, 2)))
    with pytest.raises(ShapeError, match="got 2 and 3"):
        paired_bootstrap([0, 1], [0, 1, 2])
    with pytest.raises(ConfigError, match="confidence is 95"):
        bootstrap_interval([0, 1], confidence=95)
    with pytest.raises(ConfigError, match="num_resamples is 0"):
        bootstrap_interval([0, 1], num_resamples=0)


def test_the_harmonic_mean_of_two_sides():
    found = harmonic_bootstrap([1, 1, 1], [0, 1])
    assert (found.estimate, found.num_problems) == (pytest.approx(2 / 3), 5)
    assert (found.low, found.high) == (0, 1)  # the second side's resampled mean is 0, 1/2 or 1
    assert harmonic_bootstrap([0.5], [0.5])[:3] == (0.5, 0.5, 0.5)
    assert harmonic_bootstrap([0, 0], [0, 0])[:3] == (0, 0, 0)  # and no division by it
    with pytest.raises(DataError):
        harmonic_bootstrap([], [1.0])


def test_the_sides_of_a_harmonic_mean_are_drawn_apart():
    """With the same draws for both, their means would always agree, and the interval would be as wide as for one."""
    values = [0, 1] * 20
    together = bootstrap_interval(values)
    apart = harmonic_bootstrap(values, values)
    assert apart.high - apart.low < 0.9 * (together.high - together.low)
