"""pass@k, maj@k and avg@k against numbers worked by hand and against all draws, listed."""

from collections import Counter
from itertools import combinations

import pytest

from stepalign.core.errors import ConfigError, ShapeError
from stepalign.maths.accuracy import avg_at_k, maj_at_k, pass_at_k


def test_pass_at_k_by_hand():
    assert pass_at_k(4, 1, 2) == pytest.approx(1 - (3 / 4) * (2 / 3))
    assert pass_at_k(12, 3, 4) == pytest.approx(1 - 126 / 495)
    assert (pass_at_k(12, 0, 12), pass_at_k(12, 1, 12), pass_at_k(5, 3, 3)) == (0.0, 1.0, 1.0)
    assert pass_at_k(1000, 3, 1) == pytest.approx(0.003)


def test_avg_at_k_is_the_share_of_correct_samples():
    assert avg_at_k(12, 3, 12) == avg_at_k(12, 3, 4) == 0.25


@pytest.mark.parametrize(
    ("groups", "right", "expected"),
    [
        (["7", "7", "9"], "7", 1.0),
        (["7", "9", "9"], "7", 0.0),
        (["7", "9"], "7", 1 / 2),
        (["7", "8", "9", "9", "7", "8"], "7", 1 / 3),
        ([None, None, None, "7"], "7", 1.0),
        ([None, None], "7", 0.0),
    ],
)
def test_majority_of_all_samples(groups, right, expected):
    assert maj_at_k(groups, [g == right for g in groups], len(groups)) == pytest.approx(expected)


def by_listing(groups, correct, k):
    """Every draw of k samples, one after the other."""
    shares = []
    for draw in combinations(range(len(groups)), k):
        votes = Counter(groups[i] for i in draw if groups[i] is not None)
        winners = [g for g, n in votes.items() if n == max(votes.values())]
        right = {g: [correct[i] for i in range(len(groups)) if groups[i] == g] for g in winners}
        shares.append(sum(sum(r) / len(r) for r in right.values()) / len(winners) if winners else 0.0)
    return sum(shares) / len(shares)


@pytest.mark.parametrize("groups", ["aaabbc", "abcdefg", "aabb____", "aaaa", "_____a", "aaabbbcc_", "aabbccd__"])
def test_majority_of_k_samples_is_the_mean_over_all_draws(groups):
    named = [None if g == "_" else g for g in groups]
    correct = [g in ("a", "d") for g in named]
    for k in range(1, len(groups) + 1):
        assert maj_at_k(named, correct, k) == pytest.approx(by_listing(named, correct, k), abs=1e-12)


def test_one_sample_makes_majority_pass_and_average_the_same():
    groups = ["a", "a", "b", None, "c"]
    correct = [g == "a" for g in groups]
    assert maj_at_k(groups, correct, 1) == pass_at_k(5, 2, 1) == avg_at_k(5, 2, 1) == pytest.approx(0.4)


def test_a_group_graded_both_ways_counts_as_its_share():
    assert maj_at_k(["a", "a", "b"], [True, False, False], 3) == 0.5


def test_many_samples_are_quick():
    groups = [str(i % 20) for i in range(64)]
    assert 0 < maj_at_k(groups, [g == "0" for g in groups], 16) < 1
    assert (
        maj_at_k(groups, [g == "0" for g in groups], 64) == 1 / 4
    )  # four answers come up four times, the others three


def test_errors():
    with pytest.raises(ConfigError, match="k is 5 with 4 samples"):
        pass_at_k(4, 1, 5)
    with pytest.raises(ConfigError, match="k is 0"):
        avg_at_k(4, 1, 0)
    with pytest.raises(ConfigError, match="k is 1 with 0 samples"):
        maj_at_k([], [], 1)
    with pytest.raises(ConfigError, match="5 of 4 samples"):
        pass_at_k(4, 5, 1)
    with pytest.raises(ShapeError, match="2 and 1"):
        maj_at_k(["a", "b"], [True], 1)
