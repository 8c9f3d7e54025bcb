import json
import shutil

import pytest

from stepalign.core.errors import DataError
from stepalign.runs.reading import read_run


def test_a_finished_run(tmp_path, write_run):
    run = read_run(write_run(tmp_path / "run", seeds=("0", "1"), num_rollouts=8))
    assert run.conditions == ["grpo", "refsol", "stepalign"]
    assert [(s.condition, s.seed) for s in run.seed_runs][:3] == [("grpo", "0"), ("grpo", "1"), ("refsol", "0")]
    assert run.keys == ("pass@12", "maj@12", "avg@12")
    assert run.missing == ()
    assert run.seeds_of("stepalign")[0].selected.step == 40


def test_an_interrupted_run_is_read_from_its_evaluations(tmp_path, write_run):
    path = write_run(tmp_path / "run", num_rollouts=8)
    (path / "results.json").unlink()
    shutil.rmtree(path / "conditions" / "stepalign")
    evaluations = path / "conditions" / "refsol" / "seed_0" / "evaluations.jsonl"
    evaluations.write_text("".join(evaluations.read_text().splitlines(keepends=True)[:3]) + '{"step": 40, "valid')
    run = read_run(path)
    refsol = run.seeds_of("refsol")[0]
    assert [row.step for row in refsol.checkpoints] == [10, 20, 30]
    assert refsol.selected.step == 30
    assert refsol.best["avg@12"].to_json() == {"step": 30, "value": 0.18}
    assert run.missing == (
        "results.json is not written yet.",
        "refsol (seed 0) has no evaluation at step 40, 50, 60, 70.",
        "stepalign (seed 0) has no checkpoint yet.",
    )


def test_results_that_are_older_than_the_evaluations_do_not_count(tmp_path, write_run):
    path = write_run(tmp_path / "run", num_rollouts=8, steps=(10, 20, 30))
    newer = write_run(tmp_path / "newer", num_rollouts=8)
    shutil.copytree(newer / "conditions", path / "conditions", dirs_exist_ok=True)
    run = read_run(path)
    assert run.seeds_of("grpo")[0].checkpoints[-1].step == 70
    assert run.paired == {}


def test_a_run_that_has_only_begun(tmp_path):
    (tmp_path / "config.yaml").write_text("conditions: [grpo, refsol]\nseeds: [0]\n")
    run = read_run(tmp_path)
    assert run.conditions == ["grpo", "refsol"]
    assert "grpo (seed 0) has no checkpoint yet." in run.missing


def test_unknown_keys_are_tolerated(tmp_path, write_run):
    path = write_run(tmp_path / "run", num_rollouts=8)
    results = json.loads((path / "results.json").read_text())
    results |= {"extra": 1, "paired": {"a - b": {"avg@12": "?"}, "stepalign - grpo": 3}}
    results["conditions"]["grpo"]["selected_mean"] = {"avg@12": {"value": 0.7, "ci95": [0.6, 0.8], "note": "x"}}
    (path / "results.json").write_text(json.dumps(results))
    run = read_run(path)
    assert run.paired == {}
    assert run.means["grpo"].ci95 == {"avg@12": [0.6, 0.8]}


def test_no_such_directory(tmp_path):
    with pytest.raises(DataError, match="no such run directory"):
        read_run(tmp_path / "nothing")


def test_a_directory_that_is_no_run(tmp_path):
    with pytest.raises(DataError, match="not a run directory; expected"):
        read_run(tmp_path)


def test_the_directory_of_another_command(tmp_path):
    (tmp_path / "config.yaml").write_text("condition: refsol\nmax_steps: 2\n")
    with pytest.raises(DataError, match=r"not the directory of a comparison.*stepalign compare --conditions refsol"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("results.json", "{", "results.json"),
        ("results.json", "[]", "expected an object; got list"),
        ("results.json", '{"conditions": {"a": {"seeds": {"0": {"checkpoints": [{}]}}}}}', "whole number as 'step'"),
        ("results.json", '{"base": {"avg@12": "high"}}', "expected a number as 'avg@12'; got 'high'"),
        ("results.json", '{"base": {"ci95": {"avg@12": [0.1]}}}', r"two numbers \[low, high\]"),
        ("config.yaml", "a: [", "not YAML"),
        ("config.yaml", b"\xff\xfe\x00", "config.yaml"),
        ("conditions/grpo/seed_0/metrics.jsonl", '{"step": 1}\nnonsense\n{"step": 2}\n', "line 2"),
        ("conditions/grpo/seed_0/metrics.jsonl", "[1]\n", "row 1: expected an object with 'step'"),
        ("signal.json", '{"rollouts": [{"tokens": ["a"], "token_steps": []}]}', "one length"),
        ("problems/test.jsonl", '{"id": "a"}\n', "'problem'"),
        ("conditions/grpo/seed_0/warnings.jsonl", '{"step": 9}\n', "'step', 'metric', 'message'"),
    ],
)
def test_malformed_files_are_named(tmp_path, write_run, name, content, message):
    path = write_run(tmp_path / "run", num_rollouts=8)
    (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message):
        read_run(path)


def test_malformed_rollouts_are_named(tmp_path, write_run):
    path = write_run(tmp_path / "run", num_rollouts=8)
    (path / "conditions/grpo/seed_0/rollouts.jsonl").write_text('{"step": 1}\n')
    with pytest.raises(DataError, match="row 1: expected"):
        read_run(path).seeds_of("grpo")[0].rollouts()
