import pytest

from stepalign.comparison.results import collect_results
from stepalign.core.files import append_jsonl
from stepalign.runs.files import EVALUATIONS


def metrics(value):
    return {
        "num_problems": 2,
        "num_samples": 2,
        "pass@2": value,
        "avg@2": value,
        "ci95": {"pass@2": [0, 1], "avg@2": [0, 1]},
    }


def row(step, validation, test):
    values = {"test": {"pass@2": [test, test], "avg@2": [test, test - 0.1]}}
    return {
        "step": step, "num_rollouts": step * 4, "num_generated_tokens": step * 40, "wall_s": float(step),
        "validation": metrics(validation), "test": metrics(test), "values": values,
    }  # fmt: skip


@pytest.fixture
def run(tmp_path):
    directories = {("refsol", 0): tmp_path / "r0", ("refsol", 1): tmp_path / "r1", ("stepalign", 0): tmp_path / "s0"}
    append_jsonl(tmp_path / "base" / EVALUATIONS, row(0, 0.1, 0.1))
    append_jsonl(tmp_path / "r0" / EVALUATIONS, row(10, 0.2, 0.5), row(20, 0.4, 0.3), row(30, 0.4, 0.6))
    append_jsonl(tmp_path / "r1" / EVALUATIONS, row(10, 0.5, 0.4))
    append_jsonl(tmp_path / "s0" / EVALUATIONS, row(10, 0.9, 0.8))
    return tmp_path / "base", directories


def test_the_two_rules_choose_their_checkpoints(run):
    results = collect_results(*run).to_json()
    seed = results["conditions"]["refsol"]["seeds"]["0"]
    assert seed["best"]["avg@2"] == {"step": 30, "value": 0.6}  # the best test value
    assert seed["selected"]["step"] == 20  # the best on validation, the earliest of equals
    assert seed["selected"]["test"]["avg@2"] == 0.3
    assert [c["step"] for c in seed["checkpoints"]] == [10, 20, 30]
    assert "values" not in seed["checkpoints"][0]


def test_seeds_are_averaged_and_conditions_paired(run):
    results = collect_results(*run).to_json()
    assert results["base"]["avg@2"] == 0.1
    mean = results["conditions"]["refsol"]["selected_mean"]["avg@2"]["value"]
    assert mean == pytest.approx(((0.3 + 0.4) / 2 + (0.2 + 0.3) / 2) / 2)
    paired = results["paired"]["stepalign - refsol"]["avg@2"]
    assert paired["difference"] == pytest.approx(0.75 - mean)
    assert paired["ci95"][0] <= paired["difference"] <= paired["ci95"][1] + 1e-9


def test_what_is_not_evaluated_yet_is_left_out(tmp_path, run):
    base, directories = run
    results = collect_results(base, {**directories, ("grpo", 0): tmp_path / "none"})
    assert "grpo" not in results.conditions
