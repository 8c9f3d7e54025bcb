"""Gap before training, gain after it: the line and its points."""

import pytest

from stepalign.signal.gains import Point, fit, known_line, known_points


def test_the_line_is_least_squares_and_knows_how_far_its_points_lie():
    points = [
        Point(study="s", condition=str(i), gap=g, gain=v) for i, (g, v) in enumerate([(0, 0), (0.5, 0.2), (1, 0.2)])
    ]
    line = fit(points)
    assert (line.slope, line.intercept) == pytest.approx((0.2, 1 / 30))
    assert line.at(0.5) == pytest.approx(2 / 15)
    assert line.spread == pytest.approx((1 / 900 + 4 / 900 + 1 / 900) ** 0.5)
    assert line.num_points == 3


def test_the_known_points_are_shares_and_say_where_they_are_from():
    points = known_points()
    assert all(-1 <= p.gap <= 1 and -1 <= p.gain <= 1 and p.study and p.is_micro for p in points)
    assert len({(p.study, p.condition) for p in points}) == len(points)
    line = known_line()
    assert (line is None) == (len(points) < 3)
