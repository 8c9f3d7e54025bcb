"""Localization by hand."""

import random

import pytest
import torch

from stepalign.core.errors import DataError, ShapeError
from stepalign.maths.localization import (
    localization,
    lowest_step_hit,
    onset_share,
    step_auroc,
    step_statistics,
    unlocalized,
)

#        tag   step 1         tag   step 2         tag   step 3  tag
STEPS = [None, 1, 1, 1, None, 2, 2, None, 3, None]
VALUES = [-4.0, 0.5, 0.1, -0.6, 0.0, -3.0, 0.1, 0.0, -2.0, 0.0]


def test_one_wrong_step_by_hand():
    where = localization(VALUES, STEPS, 2)
    # wrong: -3, 0.1. before: -4, 0.5, 0.1, -0.6, 0. -3 is below four of five; 0.1 below one and equal to one.
    assert where.auroc == pytest.approx((4 + 1.5) / 10)
    # pushed down: 4 + 0.6 + 3 + 2 = 9.6, of it 3 in step 2
    assert where.negative_mass_share == pytest.approx(3 / 9.6)
    assert where.onset_share == pytest.approx(3 / 7.6)  # without the 2 of step 3
    assert where.mean_correct == pytest.approx(0.0)
    assert where.pushed_down_rate == pytest.approx(1 / 3)
    assert where.min_correct == -0.6
    assert where.mean_wrong == pytest.approx(-1.45)
    assert where.min_wrong == -3.0
    assert where.first_token == -4.0
    assert (where.num_tokens, where.num_correct, where.num_wrong) == (10, 3, 2)


def test_the_onset_share_alone_and_where_it_is_none():
    steps = [None, 1, 1, None, 2, 2, None, 3]
    advantage = [-0.5, -1.0, 4.0, 0.0, -3.0, 2.0, -9.0, -9.0]
    assert onset_share(advantage, steps, 2) == localization(advantage, steps, 2).onset_share == pytest.approx(3 / 4.5)
    assert onset_share(advantage, steps, 2, least_push=4.5) == pytest.approx(3 / 4.5)
    assert onset_share(advantage, steps, 2, least_push=4.6) is None
    assert onset_share([0.1] * 8, steps, 2) is None
    assert onset_share(advantage, steps, None) is None and onset_share(advantage, steps, 4) is None


def test_a_later_step_counts_all_steps_before_it():
    where = localization(VALUES, STEPS, 3)
    assert where.mean_correct == pytest.approx((0.5 + 0.1 - 0.6 - 3.0 + 0.1) / 5)
    assert where.auroc == pytest.approx(6 / 8)  # -2 is below all but -4 and -3


def test_no_step_is_wrong():
    where = localization(VALUES, STEPS, None)
    assert (where.auroc, where.negative_mass_share, where.onset_share) == (None, None, None)
    assert (where.mean_wrong, where.min_wrong, where.min_correct) == (None, None, -3.0)
    assert where.mean_correct == pytest.approx((0.5 + 0.1 - 0.6 - 3.0 + 0.1 - 2.0) / 6)
    assert (where.pushed_down_rate, where.num_correct, where.num_wrong) == (pytest.approx(0.5), 6, 0)


def test_the_first_step_is_wrong():
    where = localization(VALUES, STEPS, 1)
    assert (where.auroc, where.mean_correct, where.pushed_down_rate) == (None, None, None)
    assert where.negative_mass_share == pytest.approx(0.6 / 9.6)
    assert where.num_correct == 0


def test_a_wrong_step_without_tokens():
    where = localization(VALUES, STEPS, 4)
    assert (where.auroc, where.negative_mass_share, where.mean_wrong, where.num_wrong) == (None, None, None, 0)
    assert where.mean_correct is not None


def test_nothing_is_pushed_down():
    where = localization([0.0, 1.0], [1, 2], 2)
    assert where.negative_mass_share is None
    assert where.auroc == 0.0


def test_feedback_that_finds_the_error_and_feedback_that_rejects_everything():
    steps = [1] * 30 + [2] * 30
    aligned, diffuse = [0.1] * 59 + [-6.0], [-1.0] * 60
    assert localization(aligned, steps, 2).auroc == pytest.approx(0.5, abs=0.02)  # one wrong token of thirty
    assert localization(aligned, steps, 2).onset_share == 1.0
    assert localization(diffuse, steps, 2).auroc == 0.5
    assert localization(diffuse, steps, 2).onset_share == 0.5


def test_extremes_and_ties_of_auroc():
    assert localization([0.0, 0.0, -1.0], [1, 1, 2], 2).auroc == 1.0
    assert localization([0.5, 0.5, 0.5, 0.5], [1, 1, 2, 2], 2).auroc == 0.5
    assert localization([-1.0, 0.0], [1, 2], 2).auroc == 0.0


def test_auroc_is_the_share_of_pairs():
    rng = random.Random(0)
    values = [round(rng.gauss(0, 1), 1) for _ in range(200)]  # rounded: many ties
    steps = [1] * 120 + [2] * 80
    pairs = [(w < b) + 0.5 * (w == b) for w in values[120:] for b in values[:120]]
    assert localization(values, steps, 2).auroc == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)


def test_exactly_half_a_nat_is_not_pushed_down():
    assert localization([-0.5, -0.51], [1, 1], None).pushed_down_rate == 0.5


def test_nobody_knows_which_step_is_wrong():
    values = unlocalized(VALUES).to_json()
    assert values.pop("first_token") == -4.0 and values.pop("num_tokens") == 10
    assert set(values.values()) == {None}


def test_steps_by_hand():
    first, second, third = step_statistics(VALUES, STEPS)
    assert first.to_json() == {
        "step": 1,
        "mean": pytest.approx(0.0),
        "sum": pytest.approx(0.0),
        "min": -0.6,
        "max": 0.5,
        "num_tokens": 3,
    }
    assert (second.sum, second.mean, second.num_tokens) == (pytest.approx(-2.9), pytest.approx(-1.45), 2)
    assert (third.step, third.min, third.max) == (3, -2.0, -2.0)


def test_a_tensor_gives_plain_numbers():
    values = torch.tensor(VALUES, dtype=torch.float64)
    assert localization(values, STEPS, 2) == localization(VALUES, STEPS, 2)
    assert unlocalized(values) == unlocalized(VALUES)
    assert type(localization(values, STEPS, 2).first_token) is float
    assert step_statistics(values, STEPS) == step_statistics(VALUES, STEPS)


def test_no_tokens_at_all():
    assert step_statistics([], []) == []
    assert localization([], [], None).first_token is None


def test_errors():
    with pytest.raises(ShapeError, match="got 2 and 1"):
        localization([0.0, 1.0], [1], None)
    with pytest.raises(ShapeError, match="got 0 and 1"):
        step_statistics([], [1])
    with pytest.raises(DataError, match="first wrong step is 0; expected 1 or more"):
        localization([0.0], [1], 0)


def test_a_step_ranks_by_its_mean_among_the_correct_ones_before_it():
    advantage, steps = [0.5, 0.1, -0.2, -0.4, 0.0, -9.0], [1, 1, 2, 2, 3, 4]
    assert step_auroc(advantage, steps, 2) == 1.0  # -0.3 below 0.3
    assert step_auroc(advantage, steps, 3) == 0.5  # 0.0 below 0.3, above -0.3
    assert step_auroc([0.5, 0.1, 0.3], [1, 1, 2], 2) == 0.5  # a tie counts half
    assert step_auroc(advantage, steps, 1) is None
    assert step_auroc(advantage, steps, None) is None
    assert step_auroc([1.0, 2.0], [1, None], 2) is None  # the wrong step has no token


def test_the_lowest_token_of_all_steps_hits_the_wrong_one_or_not():
    advantage, steps = [0.5, -3.0, -0.2, 9.0], [1, 2, 3, None]
    assert lowest_step_hit(advantage, steps, 2) == (1.0, 1 / 3)
    assert lowest_step_hit(advantage, steps, 3) == (0.0, 1 / 3)
    assert lowest_step_hit([-9.0, -1.0, 0.0], [None, 1, 2], 1) == (1.0, 0.5)  # outside the steps nothing counts
    assert lowest_step_hit([0.0, 0.0, 0.0, 0.0], [1, 2, 3, 4], 2) == (0.25, 0.25)  # ties are shared
    assert lowest_step_hit(advantage, steps, None) is None
    assert lowest_step_hit(advantage, steps, 4) is None
