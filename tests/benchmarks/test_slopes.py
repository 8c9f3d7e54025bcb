"""Slopes: what grows, by how much, and what stays the same on an axis."""

import pytest
from benchmarks.runner import Measurement, Settings
from benchmarks.slopes import axes, axis_rows


@pytest.mark.parametrize("quick", [True, False])
def test_on_an_axis_one_thing_grows(quick):
    for axis in axes(Settings(quick=quick)):
        first, last = axis.arguments(axis.sizes[0]), axis.arguments(axis.sizes[-1])
        flat = [{**a, **vars(a.get("sizes", Settings()))} for a in (first, last)]
        differing = {k for k in flat[0] if flat[0][k] != flat[1][k]} - {"sizes"}
        assert len(differing) == 1, axis.unit
        assert flat[1][differing.pop()] == axis.sizes[-1]


def test_the_largest_size_is_compared_with_the_smallest():
    axis = axes(Settings(quick=True))[0]
    measured = {
        size: [Measurement(time_s=size / 100, cpu_s=0.0, peak_bytes=500, facts={})] * 2 for size in (256, 512, 1024)
    }
    time, memory = axis_rows("slopes", axis, measured)
    assert (time["metric"], memory["metric"]) == ("time", "peak_memory")
    assert time["subject"] == "loss kernel, 1,024 tokens" and time["baseline"] == "loss kernel, 256 tokens, x 4"
    assert time["ratio"] == pytest.approx(1) and memory["ratio"] == 1
    assert time["fit"]["slope"] == pytest.approx(0.01) and time["fit"]["exponent"] == pytest.approx(1)
    assert memory["fit"]["exponent"] == pytest.approx(0)
