import numpy as np
import pytest

from stepalign.core.errors import ConfigError
from stepalign.maths.intervals import paired_bootstrap
from stepalign.maths.power import detectable_difference


def test_more_of_anything_resolves_more():
    start = detectable_difference(60, 12, 1)
    assert start > max(
        detectable_difference(120, 12, 1), detectable_difference(60, 24, 1), detectable_difference(60, 12, 3)
    )
    with pytest.raises(ConfigError, match="number of seeds"):
        detectable_difference(60, 12, 0)


def test_a_difference_of_that_size_is_found_four_times_in_five():
    rng, size = np.random.default_rng(0), detectable_difference(60, 12, 1, seed_spread=0.0)
    found = 0
    for _ in range(150):
        spread = rng.normal(0, 0.2, 60)
        first = rng.binomial(12, np.clip(0.5 + (size + spread) / 2, 0, 1)) / 12
        second = rng.binomial(12, np.clip(0.5 - (size + spread) / 2, 0, 1)) / 12
        found += paired_bootstrap(first, second, num_resamples=400).low > 0
    assert 0.68 < found / 150 < 0.92
