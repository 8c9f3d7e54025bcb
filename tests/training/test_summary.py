import pytest

from stepalign.runs.rows import MetricsRow
from stepalign.training.summary import changes, ends


def row(step, **values):
    return MetricsRow(step=step, **values)


def test_ends_are_means_over_a_few_logged_steps():
    rows = [row(i, loss=float(i), **{"rollouts/correct_rate": i / 100}) for i in range(20)]
    loss, correct = changes(rows)
    assert (loss.first, loss.last) == (2.0, 17.0) and str(loss) == "2 -> 17"
    assert correct.first == pytest.approx(0.02) and str(correct) == "2 % -> 17 %"
    assert ends(rows) == "mean of the first 5 logged steps -> of the last 5"


def test_a_short_run_is_halved_and_what_was_not_logged_is_left_out():
    short = [row(1, loss=4.0), row(2, loss=3.0), row(3, loss=1.0)]
    assert [(c.first, c.last) for c in changes(short)] == [(4.0, 1.0)] and ends(short) == "first logged step -> last"
    assert changes([]) == []
