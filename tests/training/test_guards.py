"""Guards fire on what looks like a collapse, once, and are silent on a run that learns."""

import warnings

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from stepalign.core.files import append_jsonl, read_jsonl
from stepalign.runs.files import METRICS, ROLLOUTS, WARNINGS
from stepalign.training.guards import RULES, WINDOW, Guards, findings, validation_findings

CALM = {
    "completions/clipped_ratio": 0.1,
    "rollouts/unparseable_rate": 0.05,
    "completions/mean_length": 100.0,
    "entropy": 0.5,
    "divergence/mean": 0.2,
    "feedback/skipped_rate": 0.05,
}
COLLAPSED = {
    "completions/clipped_ratio": 0.6,
    "rollouts/unparseable_rate": 0.6,
    "completions/mean_length": 15.0,
    "entropy": 0.04,
    "divergence/mean": 0.7,
    "feedback/skipped_rate": 0.6,
}


def run_of(metric, value, num_steps=WINDOW):
    return [CALM] * WINDOW + [{**CALM, metric: value}] * num_steps


@pytest.mark.parametrize("metric", [rule.metric for rule in RULES])
def test_each_metric_is_watched(metric):
    (found,) = findings(run_of(metric, COLLAPSED[metric]))
    assert found["metric"] == metric
    assert (found["value"], found["start"]) == (pytest.approx(COLLAPSED[metric]), pytest.approx(CALM[metric]))
    assert f"{COLLAPSED[metric]:.3g}" in found["message"] and f"{CALM[metric]:.3g}" in found["message"]


@pytest.mark.parametrize("metric", [rule.metric for rule in RULES])
def test_one_bad_step_is_no_collapse(metric):
    assert findings(run_of(metric, CALM[metric])) == []
    worse = COLLAPSED[metric] if COLLAPSED[metric] > CALM[metric] else CALM[metric] / 3
    assert findings([*run_of(metric, CALM[metric]), {**CALM, metric: worse}]) == []


def test_nothing_is_said_before_there_are_two_windows():
    assert findings(run_of("feedback/skipped_rate", 1.0, WINDOW - 1)) == []
    assert findings([{"loss": 0.1}] * 20) == []


def test_a_run_that_was_truncated_from_the_start_has_not_collapsed():
    rows = [{**CALM, "completions/clipped_ratio": 0.4}] * WINDOW + [{**CALM, "completions/clipped_ratio": 0.9}] * WINDOW
    assert findings(rows) == []


@pytest.mark.parametrize("metric", ["completions/clipped_ratio", "rollouts/unparseable_rate"])
def test_a_run_that_fails_from_the_first_step_on_is_told_once_a_window_is_full(metric):
    rows = [{**CALM, metric: 0.9}] * WINDOW
    (found,) = findings(rows)
    assert found["metric"] == metric and f"{metric} is 0.9 from the start" in found["message"]
    assert "max_completion_length" in found["message"]
    assert findings(rows[1:]) == [] == findings([{**CALM, metric: 0.5}] * WINDOW)


def test_the_warning_of_unreadable_answers_shows_how_the_first_two_end(tmp_path):
    rollouts = [
        {"step": 1, "problem_id": f"p{i}", "text": f"{i} " + 100 * "x" + "\nso it is \x1b[31mred", "grade": grade}
        for i, grade in enumerate(["unparseable", "correct", "unparseable", "unparseable"])
    ]
    append_jsonl(tmp_path / ROLLOUTS, *rollouts)
    with pytest.warns(UserWarning, match="no answer was found") as caught:
        log_to(Guards(tmp_path), [{**CALM, "rollouts/unparseable_rate": 1.0}] * WINDOW, tmp_path)
    _, *shown = str(caught[0].message).splitlines()
    end = r"x\nso it is \x1b[31mred'"
    assert [line.strip().split(":")[0] for line in shown] == ["p0, sample 0", "p2, sample 0"]
    assert all(line.endswith(end) and "…" in line for line in shown)
    assert read_jsonl(tmp_path / WARNINGS)[0]["message"].count(end) == 2


def test_validation_warns_below_half_of_the_best():
    assert validation_findings("avg@4", [0.4]) == validation_findings("avg@4", [0.4, 0.25]) == []
    (found,) = validation_findings("avg@4", [0.2, 0.4, 0.19])
    assert found["metric"] == "validation/avg@4" and found["start"] == 0.4 and "0.19" in found["message"]


def log_to(guards, rows, directory, first_step=1):
    state, args = TrainerState(is_world_process_zero=True), TrainingArguments(str(directory), use_cpu=True)
    for step, row in enumerate(rows, start=first_step):
        state.global_step = step
        guards.on_log(args, state, TrainerControl(), logs={"loss": 0.1, **row})
        append_jsonl(directory / METRICS, {"step": step, **row})


def test_a_warning_is_printed_and_recorded_once_even_over_sessions(tmp_path):
    rows = run_of("entropy", 0.01, 12)
    with pytest.warns(UserWarning, match=r"step 10: entropy is 0.01 .*Lower learning_rate") as caught:
        log_to(Guards(tmp_path), rows[:14], tmp_path)
    assert len([w for w in caught if "entropy" in str(w.message)]) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        log_to(Guards(tmp_path), rows[14:], tmp_path, first_step=15)
    (row,) = read_jsonl(tmp_path / WARNINGS)
    assert (row["step"], row["metric"], row["value"], row["start"]) == (10, "entropy", pytest.approx(0.01), 0.5)


def test_a_resumed_run_compares_with_its_own_start(tmp_path):
    for step in range(1, 8):
        append_jsonl(tmp_path / METRICS, {"step": step, **CALM})
    with pytest.warns(UserWarning, match="step 12: entropy"):
        log_to(Guards(tmp_path), [{**CALM, "entropy": 0.001}] * WINDOW, tmp_path, first_step=8)
