"""The guard for a policy that narrows: fewer problems solved at all, single responses right more often."""

from stepalign.runs.evaluations import EvaluationMetrics, EvaluationRow
from stepalign.training.guards import collapse_findings


def evaluation(step, some, one):
    """`some`: whether each problem is solved at all; `one`: the share of right responses to each."""
    metrics = EvaluationMetrics(**{"num_samples": 12, "pass@12": sum(some) / len(some), "avg@12": sum(one) / len(one)})
    return EvaluationRow(step=step, test=metrics, values={"test": {"pass@12": some, "avg@12": one}})


START = evaluation(0, [1.0] * 20, [0.25] * 20)
NARROWED = evaluation(70, [1.0] * 10 + [0.0] * 10, [0.9] * 10 + [0.0] * 10)


def test_it_fires_where_pass_at_n_falls_while_pass_at_1_rises():
    (found,) = collapse_findings([START, NARROWED], "test")
    assert (found["metric"], found["value"], found["start"]) == ("test/pass@12", 0.5, 1.0)
    assert "collapses" in found["message"] and "avg@12 rose to 0.45" in found["message"]


def test_it_is_silent_where_only_one_of_the_two_holds_or_chance_explains_it():
    better = evaluation(70, [1.0] * 20, [0.9] * 20)
    worse = evaluation(70, [1.0] * 10 + [0.0] * 10, [0.1] * 20)
    one_less = evaluation(70, [1.0] * 19 + [0.0], [0.5] * 20)
    for row in (better, worse, one_less):
        assert collapse_findings([START, row], "test") == []
    assert collapse_findings([START], "test") == [] and collapse_findings([START, NARROWED], "validation") == []


def test_rounding_is_no_rise():
    """As many right responses as before, over other problems: their mean may differ in its last digit."""
    start = evaluation(0, [1.0] * 20, [1 / 12] * 20)
    moved = evaluation(70, [1.0] * 10 + [0.0] * 10, [2 / 12] * 9 + [1 / 12, 1 / 12 + 1e-16] + [0.0] * 9)
    assert collapse_findings([start, moved], "test") == []
