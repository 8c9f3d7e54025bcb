"""The two rules: the earliest of equals wins, and what was not measured does not count."""

from stepalign.runs.choose import best, selected
from stepalign.runs.evaluations import EvaluationMetrics, EvaluationRow


def row(step, validation, test):
    metrics = [EvaluationMetrics(**{"avg@2": v, "pass@2": t}) for v, t in ((validation, 1.0), (test, test))]
    return EvaluationRow(step=step, validation=metrics[0], test=metrics[1])


ROWS = [row(1, 0.2, 0.3), row(2, 0.4, 0.5), row(3, 0.4, 0.5), row(4, 0.1, 0.2)]


def test_best_is_the_first_of_the_highest_test_values():
    assert {key: entry.to_json() for key, entry in best(ROWS, ["avg@2", "maj@2"]).items()} == {
        "avg@2": {"step": 2, "value": 0.5}
    }


def test_selected_is_the_first_of_the_highest_on_validation():
    assert selected(ROWS, "avg@2") is ROWS[1]
    assert selected([EvaluationRow(step=9), *ROWS[3:]], "avg@2") is ROWS[3]
    assert selected(ROWS, None) is selected([], "avg@2") is None
