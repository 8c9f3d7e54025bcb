import pytest

from stepalign.report.numbers import count, duration, listing, percent, percent_interval, points


def test_shares():
    assert [percent(0.3583), percent(0), percent(None)] == ["35.8", "0.0", "–"]
    assert percent_interval([0.125, 0.4]) == "12.5 to 40.0"
    assert percent_interval(None) == percent_interval([None, 0.4]) == ""
    assert [points(0.17), points(-0.054)] == ["+17.0", "−5.4"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (9_999, "9,999"), (260_000, "260 k"), (7_812_345, "7.81 M"), (2e9, "2 G"), (None, "–")],
)
def test_count(value, text):
    assert count(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.4, "4 s"), (154, "2 min 34 s"), (840, "14 min"), (3700, "1 h 1 min"), (None, "–")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_listing():
    assert [listing([]), listing(["a"]), listing(["a", "b"]), listing(["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
