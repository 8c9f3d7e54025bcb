"""The tables of the terminal fit 80 columns and narrower ones, and are whole when piped."""

import io
import re

import pytest
from rich.console import Console

from stepalign.report.comparison.terminal import print_results
from stepalign.report.inspection.terminal import print_inspection
from stepalign.report.preflight.terminal import print_preflight
from stepalign.report.terminal import blocks, make_console
from stepalign.runs.results import Results
from stepalign.signal.trial import judge_rows

from .comparison.synthetic_run import STEPS, checkpoint, outcome
from .directories import measured, samples

FORMATS = ["refsol", "stepalign", "a_longer_format_of_my_own"]
NOTE = "A sentence of a hundred characters, which a terminal breaks between two words and a file does not, at all."


@pytest.fixture
def results():
    conditions = {
        name: {
            "seeds": {"0": outcome([checkpoint(name, i, step, 0.0) for i, step in enumerate(STEPS)])},
            "selected_mean": {key: {"value": 0.7, "ci95": [0.5, 1.0]} for key in ("pass@12", "maj@12", "avg@12")},
        }
        for name in ("grpo", "refsol", "stepalign")
    }
    paired = {"refsol - grpo": {"avg@12": {"difference": -0.1, "ci95": [-0.2, 0.0]}}}
    base = checkpoint("grpo", 0, 0, 0.0)["test"]
    return Results.read("results.json: ", {"base": base, "conditions": conditions, "paired": paired})


@pytest.fixture
def preflight():
    rows = [row | {"is_correct": False, "first_wrong_step": 2, "formats": {}} for row in samples(None)]
    for i, row in enumerate(rows):
        row["formats"] = {name: measured("correct" if i % 3 else "wrong") for name in FORMATS}
    return {"is_micro": True, "num_problems": 3, **judge_rows(rows, FORMATS, {name: {} for name in FORMATS})}


def printed(show, value, width, terminal=True):
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, no_color=True, highlight=False)
    show(value, console)
    return re.sub("\x1b\\[[0-9;]*m", "", console.file.getvalue())


@pytest.mark.parametrize("width", [58, 80])
def test_everything_fits_a_terminal(width, results, preflight, inspection_result):
    inspected = inspection_result(notes=[NOTE])
    for show, value in ((print_results, results), (print_preflight, preflight), (print_inspection, inspected)):
        text = printed(show, value, width)
        assert max(len(line) for line in text.splitlines()) <= width, show.__name__
        assert "…" not in text or show is print_inspection  # numbers are never cut


def test_a_comparison_has_a_row_a_metric_of_each_condition(results):
    lines = printed(print_results, results, 58).splitlines()
    grpo, unanswered = [line for line in lines if line.startswith("│ grpo")]
    assert unanswered.rstrip("│ ").endswith("4.0 / 2.0")  # in a further table: there is no room beside
    assert re.sub(r"[│ ]+", " ", grpo).split() == ["grpo", "pass@12", "70.0", "[50.0,", "100.0]", "100.0"], grpo
    assert sum("avg@12" in line for line in lines if line.startswith("│")) == 8
    assert lines[-1] == "refsol - grpo: avg@12 -10.0 [-20.0, +0.0]"


def test_formats_without_room_stand_in_further_tables(preflight):
    wide, narrow = printed(print_preflight, preflight, 150), printed(print_preflight, preflight, 80)
    assert wide.count("│ verdict") == 1 and narrow.count("│ verdict") == 2
    assert all(f" {name} ┃" in narrow for name in FORMATS)
    assert list(blocks({"a": 10, "b": 10, "c": 99}, 30, 60)) == [["a", "b"], ["c"]]


def test_an_inspection_without_room_for_the_text_leaves_it_out(inspection_result):
    result = inspection_result(advantage={f"context {n}": [0.1] * 11 for n in range(4)})
    assert "2 + 2" not in printed(print_inspection, result, 40)
    assert printed(print_inspection, result, 40).count("┃ step ") == 4
    assert "2+2=4" in printed(print_inspection, result, 80)


def test_piped_lines_are_whole_and_tables_as_wide_as_a_terminals(inspection_result, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    assert make_console().width == 80
    print_inspection(inspection_result(notes=[NOTE]))
    lines = capsys.readouterr().out.splitlines()
    assert f"- {NOTE}" in lines and max(len(line) for line in lines if line[:1] in "┃│") <= 80
