"""Rows are written as they were given, in their order, and read with messages that say where they are wrong."""

import pytest

from stepalign.core.critique import Critique, CritiqueStep
from stepalign.core.errors import DataError
from stepalign.core.files import append_jsonl
from stepalign.core.problem import Problem
from stepalign.core.rollout import Grade, Outcome, Rollout
from stepalign.runs.evaluations import EvaluationMetrics, EvaluationRow, accuracy_keys, charted, main_key
from stepalign.runs.results import Results
from stepalign.runs.row import append_rows, read_list, read_rows
from stepalign.runs.rows import CritiqueRow, MetricsRow, Progress, RolloutRow, SignalRow, WarningRow

PROBLEM = Problem("p", "?", "4")
CRITIQUE = Critique("D", 2, (CritiqueStep("a", "copied"), CritiqueStep("b", "rewritten")), "4", True, "exact")


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (Progress, '{"step": 2, "num_rollouts": 8, "num_generated_tokens": 90, "wall_s": 0}'),
        (MetricsRow, '{"step": 1, "loss": 0.5, "b/x": null, "a": 1, "num_rollouts": 8, "wall_s": 1.5}'),
        (WarningRow, '{"step": 1, "metric": "entropy", "value": 0.1, "start": 1, "message": "low"}'),
        (RolloutRow, '{"step": 1, "problem_id": "p", "sample": 0, "text": "\\u00e9", "finish_reason": "stop", '
                     '"extracted": null, "context": null, "of_a_newer_version": [1]}'),
        (EvaluationRow, '{"step": 1, "wall_s": 2.0, "validation": {"num_problems": 1, "num_samples": 2, "pass@2": 1.0, '
                        '"avg@2": 0, "mean_length": 7.0, "ci95": {"avg@2": [0, 1]}}, "values": {}}'),
    ],
)  # fmt: skip
def test_a_row_that_was_read_is_written_as_it_was(tmp_path, kind, line):
    (tmp_path / "read.jsonl").write_text(line + "\n")
    append_rows(tmp_path / "written.jsonl", *read_rows(tmp_path / "read.jsonl", kind))
    assert (tmp_path / "written.jsonl").read_text() == line + "\n"


def test_a_row_cannot_be_changed():
    row = Progress(step=1)
    with pytest.raises(AttributeError, match="frozen"):
        row.step = 2
    assert row == Progress(step=1) != Progress(step=2) and row.wall_s is None


def test_a_rollout_comes_back_from_its_row():
    rollout = Rollout(PROBLEM, 3, "x", (5, 9), "length", Grade(Outcome.TIMEOUT))
    row = RolloutRow(**rollout.to_json(), token_ids=[5, 9])
    assert row.rollout(PROBLEM) == rollout
    assert RolloutRow(**rollout.to_json()).rollout(PROBLEM) == Rollout(
        PROBLEM, 3, "x", (), "length", Grade(Outcome.TIMEOUT), num_tokens=2
    )
    assert RolloutRow(**rollout.to_json(), critique=CritiqueRow.of(CRITIQUE)).made() == CRITIQUE and row.made() is None
    assert list(CritiqueRow.of(CRITIQUE).to_json())[-2:] == ["verified", "source"]


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (EvaluationRow, [{"step": 1}, {}], "F, entry 2: expected a whole number as 'step'; got None."),
        (EvaluationRow, [{"step": 1, "wall_s": "x"}], "F, entry 1: expected a number as 'wall_s'; got 'x'."),
        (EvaluationRow, [{"step": 1, "test": {"pass@1": "y"}}],
         "F, entry 1, test: expected a number as 'pass@1'; got 'y'."),
        (Results, [], "F: expected an object; got list."),
        (Results, {"base": {"avg@12": "high"}}, "F: base: expected a number as 'avg@12'; got 'high'."),
        (Results, {"base": {"timeout_rate": []}}, "F: base: expected a number as 'timeout_rate'; got []."),
        (Results, {"base": {"ci95": {"a": [0.1]}}}, "F: base.ci95.a: expected two numbers [low, high]; got [0.1]."),
        (Results, {"conditions": {"a": {"seeds": {"0": {"checkpoints": {"a": 1}}}}}},
         "F: conditions.a.seeds.0.checkpoints: expected a list of checkpoints; got dict."),
        (SignalRow, {"tokens": ["a"], "token_steps": []},
         "F: expected lists of one length; got {'tokens': 1, 'token_steps': 0}."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(kind, value, message):
    with pytest.raises(DataError) as error:
        read_list("F", value, kind) if kind is EvaluationRow else kind.read("F: " if kind is Results else "F", value)
    assert str(error.value) == message


def test_a_row_without_what_it_needs_is_named(tmp_path):
    append_jsonl(tmp_path / "w.jsonl", {"step": 1, "metric": "m", "message": "x"}, {"step": 2})
    with pytest.raises(DataError, match=r"w.jsonl, row 2: expected an object with 'step', 'metric', 'message'\."):
        read_rows(tmp_path / "w.jsonl", WarningRow)
    assert read_rows(tmp_path / "none.jsonl", WarningRow) == []


def test_null_is_the_same_as_nothing_in_results():
    results = Results.read("F: ", {"base": None, "conditions": None, "paired": {"a - b": 3, "c - d": {"avg@1": "?"}}})
    assert results.base.get("avg@1") is None and results.conditions == {} and results.paired == {}


def test_metrics_are_in_a_fixed_order():
    metrics = EvaluationMetrics(**dict.fromkeys(("avg@12", "avg@2", "maj@2", "pass@12", "other@2"), 0.5))
    assert accuracy_keys([metrics]) == ["pass@12", "maj@2", "avg@2", "avg@12"]
    assert main_key(accuracy_keys([metrics])) == "avg@12" and main_key([]) is None
    assert charted() == ["mean_length", "truncated_rate", "unparseable_rate", "timeout_rate"]
