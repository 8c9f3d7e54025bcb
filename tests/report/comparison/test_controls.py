"""What a comparison may claim of its feedback."""

from stepalign.report.comparison.controls import NO_CONTROL, against_controls, sorted_by_control
from stepalign.runs.results import PairedDifference


def row(condition, minus, value, low, high, is_control):
    return PairedDifference(
        condition=condition, minus=minus, metric="avg@12", value=value, ci95=[low, high], is_control=is_control
    )


DIFFERENCES = [
    row("stepalign", "refsol", 0.04, -0.01, 0.09, False),
    row("none", "other", 0.1, 0.05, 0.15, True),
    row("stepalign", "other", 0.6, 0.5, 0.7, True),
]


def test_each_condition_minus_each_control_is_said_with_its_interval():
    first, last = against_controls(["stepalign", "refsol", "none", "other"], DIFFERENCES, "avg@12")
    assert first == (
        "stepalign − other (control): +60.0 points of avg@12, 95 % interval +50.0 to +70.0, which excludes zero."
    )
    assert last.startswith("none − other (control): +10.0")
    assert [r.minus for r in sorted_by_control(DIFFERENCES)] == ["other", "refsol", "other"]


def test_without_a_control_one_sentence_says_what_cannot_be_claimed():
    assert against_controls(["grpo", "refsol", "stepalign"], DIFFERENCES[:1], "avg@12") == [NO_CONTROL]
    assert NO_CONTROL.startswith("No control was trained")
    assert against_controls(["grpo"], [], "avg@12") == []  # nothing learns from a context
