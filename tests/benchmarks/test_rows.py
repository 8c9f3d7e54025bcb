"""Rows: medians, ratio, spread, bound; and the table made of them."""

import pytest
from benchmarks.report import to_markdown
from benchmarks.rows import Values, row
from benchmarks.slopes import fit


def test_a_row_has_medians_their_ratio_and_the_larger_spread():
    r = row("case", "time", Values("a", [1.0, 2.0, 9.0]), Values("b", [4.0, 4.0, 5.0]), bound=0.4)
    assert (r["subject_value"], r["baseline_value"], r["ratio"], r["runs"]) == (2.0, 4.0, 0.5, 3)
    assert r["spread"] == 4.0  # (9 - 1) / 2, larger than (5 - 4) / 4
    assert r["bound"] == 0.4 and r["within_bound"] is False
    assert row("case", "time", Values("a", [1.0]), Values("b", [4.0]), bound=0.25)["within_bound"]


def test_nothing_to_compare_with_has_no_ratio():
    r = row("case", "peak_memory", Values("a", [3.0]), Values("b", [0.0]), bound=1.0)
    assert r["ratio"] is None and not r["within_bound"]


def test_processor_time_is_compared_beside_wall_time():
    r = row("case", "time", Values("a", [1.0], cpu_s=[3.0]), Values("b", [1.0], cpu_s=[4.0]))
    assert r["cpu_ratio"] == 0.75


def test_a_line_is_fitted_with_its_residual():
    line = fit({1: [3.0, 3.0, 99.0], 2: [5.0], 4: [9.0]})
    assert (line["slope"], line["intercept"]) == (pytest.approx(2), pytest.approx(1))
    assert line["largest_residual"] == pytest.approx(0, abs=1e-9)
    bent = fit({1: [1.0], 2: [4.0], 4: [16.0]})
    assert bent["exponent"] == pytest.approx(2) and bent["largest_residual"] > 0.1
    assert fit({1: [0.0], 2: [1.0]})["exponent"] is None


def test_the_table_shows_bounds_failures_and_fits():
    rows = [
        row("a", "time", Values("ours", [1.0]), Values("theirs", [4.0]), bound=0.5),
        row(
            "b", "peak_memory", Values("ours", [2e9]), Values("theirs", [1e9]), bound=0.5, fit=fit({1: [1e9], 2: [2e9]})
        ),
        row("c", "tokens", Values("ours", [2000.0]), Values("theirs", [1000.0])),
    ]
    machine = {"cpu": "x", "num_cores": 2, "memory_gb": 1, "num_threads": 2, "load_before": 0.1}
    text = to_markdown(
        {
            "machine": machine,
            "versions": {"torch": "2", "absent": None},
            "settings": {"quick": False},
            "cases": rows,
            "failures": [{"name": "d", "reason": "no memory"}],
        }
    )
    assert "| a | ours | theirs | time | 1 s | 4 s | 0.250 | ≤ 0.5 | 1 | 0% |" in text
    assert "| b | ours | theirs | peak memory | 2.00 GB | 1.00 GB | 2.000 | **>** 0.5 | 1 | 0% |" in text
    assert "| c | ours | theirs | tokens | 2,000 | 1,000 | 2.000 |  | 1 | 0% |" in text
    assert "- d: no memory" in text and "exponent 1.00" in text and "absent" not in text
