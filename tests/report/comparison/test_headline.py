"""The first screen of a comparison: the sentence and the picture."""

import json
import re
from html import unescape

import pytest

from stepalign.core.files import write_jsonl
from stepalign.report.comparison.controls import NO_CONTROL
from stepalign.report.comparison.headline import difference_in_words, headline, picture
from stepalign.report.write import write_report
from stepalign.runs.reading import read_run

from .synthetic_run import difference, write_probes, write_run


@pytest.fixture
def path(tmp_path):
    return write_run(tmp_path / "run", num_rollouts=40)


def run_with(path, differences):
    """The run with other differences in its results."""
    results = json.loads((path / "results.json").read_text())
    (path / "results.json").write_text(json.dumps({**results, "differences": differences}))
    return read_run(path)


def test_without_a_control_it_says_what_cannot_be_claimed(path):
    said = headline(read_run(path))
    assert said.startswith(NO_CONTROL)
    assert re.search(r"Mean A_t of stepalign's signal before training, in nats: \+0\.\d\d on correct steps and −", said)


def test_the_best_condition_minus_its_strongest_control(path):
    rows = [
        ("stepalign", "none", 0.21),
        ("stepalign", "other", 0.17),
        ("refsol", "other", 0.02),
        ("none", "other", 0.5),
    ]
    run = run_with(path, [difference(*row) for row in rows])
    assert headline(run).startswith(
        "stepalign is 17.0 points of avg@12 above the control other; the 95 % interval, +9.0 to +25.0, excludes zero."
    )
    minus, signal = picture(run).charts
    assert minus.title == "avg@12, condition minus control"
    assert [(name, [(bar.label, bar.value) for bar in bars]) for name, bars in minus.groups] == [
        ("stepalign", [("minus none", 21.0), ("minus other", 17.0)]),
        ("refsol", [("minus other", 2.0)]),
        ("none", [("minus other", 50.0)]),
    ]
    assert {name for name, _ in signal.groups} == {"refsol", "stepalign"}
    page = unescape(write_report(path).read_text())
    assert (
        page.index("17.0 points of") < page.index("data-bars") < page.index("What was compared") < page.index("<table")
    )


def test_conditions_that_cannot_be_told_from_the_best_are_named(path):
    rows = [
        ("stepalign", "other", 0.21),
        ("grpo", "other", 0.17),
        ("refsol", "other", 0.02),
        ("stepalign", "refsol", 0.19),
        ("grpo", "refsol", 0.15),
    ]
    found = [*(difference(*row) for row in rows), difference("grpo", "stepalign", -0.04) | {"is_control": False}]
    assert "excludes zero. grpo cannot be told from stepalign: the 95 % interval" in headline(run_with(path, found))
    for bounds in ([-0.07, -0.01], None):  # told apart; not known
        found[-1]["ci95"] = bounds
        assert "cannot be told" not in headline(run_with(path, found))


def test_an_interval_that_includes_zero_shows_nothing():
    from stepalign.runs.results import PairedDifference

    said = difference_in_words(PairedDifference(**difference("refsol", "other", -0.02)))
    assert said.startswith("refsol is 2.0 points of avg@12 below the control other")
    assert said.endswith("−10.0 to +6.0, includes zero: no gain from what the feedback says is shown.")


def test_probes_before_training_come_first(path):
    write_probes(path / "conditions/refsol/seed_0", "refsol")
    run = read_run(path)
    (signal,) = [chart for chart in picture(run).charts if chart.signal]
    ((name, (correct, wrong)),) = signal.groups
    assert name == "refsol" and (correct.value, wrong.value) == pytest.approx((0.5, -3.0))
    assert "Mean A_t of refsol's signal before training, in nats: +0.50 on correct steps and −3.00" in headline(run)


def test_nothing_is_said_before_a_checkpoint_is_selected(path):
    (path / "results.json").unlink()
    for file in path.glob("conditions/*/*/evaluations.jsonl"):
        file.unlink()
    assert headline(read_run(path)) == ""
    write_jsonl(path / "conditions/refsol/seed_0/probes.jsonl", [])
    assert 'class="lead"' in write_report(path).read_text()
