"""Two processes on a CPU do what one does with the same global batch: losses, records, critiques, early stopping."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from stepalign.cli import main
from stepalign.core.files import read_json, read_jsonl, write_jsonl
from stepalign.micro import World, make_problems

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parent / "processes.py"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
TWO = [
    "-m",
    "torch.distributed.run",
    "--nproc_per_node",
    "2",
    "--rdzv-backend",
    "c10d",
    "--rdzv-endpoint",
    "localhost:0",
]
TOGETHER = ("refsol", "stepalign", "grpo")


def run(directory, *cases, processes):
    command = [sys.executable, *(TWO if processes == 2 else []), str(SCRIPT), str(directory), *cases]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    directory = tmp_path_factory.mktemp("one")
    run(directory, *TOGETHER, "sometimes", "lora", processes=1)
    return directory


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    directory = tmp_path_factory.mktemp("two")
    printed = run(directory, *TOGETHER, "sometimes", processes=2)
    assert printed.count("checkpoint(s) in") == 4  # each run once, not once a process
    return directory


def metrics(directory, name):
    return [row[name] for row in read_jsonl(directory / "metrics.jsonl")]


@pytest.mark.parametrize("case", [*TOGETHER, "sometimes"])
def test_the_losses_are_those_of_one_process(one, two, case):
    expected = metrics(one / case, "loss")
    assert len(expected) == (4 if case == "sometimes" else 5) and len(set(expected)) == len(expected)
    assert metrics(two / case, "loss") == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("case", [*TOGETHER, "sometimes"])
def test_every_rollout_is_recorded_once_and_metrics_are_over_all_of_them(one, two, case):
    def rollouts(directory):
        names = ("step", "problem_id", "sample", "text", "grade", "context_status", "context")
        return sorted(json.dumps([row[n] for n in names]) for row in read_jsonl(directory / case / "rollouts.jsonl"))

    assert rollouts(two) == rollouts(one)
    names = ["num_rollouts", "num_generated_tokens", "rollouts/correct_rate", "completions/mean_length"]
    if case != "grpo":
        names += ["advantage/mean", "advantage/first_token", "divergence/mean", "feedback/skipped_rate", "entropy"]
    for name in names:
        assert metrics(two / case, name) == pytest.approx(metrics(one / case, name), rel=1e-4, abs=1e-6)
    if case == "sometimes":
        assert 0 < metrics(one / case, "feedback/skipped_rate")[0] < 1


def test_each_rollout_is_critiqued_once_and_the_ledger_is_the_sum(one, two):
    ledger, expected = (read_json(directory / "stepalign" / "ledger.json") for directory in (two, one))
    for key in ("num_samples", "num_verified", "num_requests", "num_rejected"):
        assert ledger[key] == expected[key]
    assert ledger["num_samples"] == 5 * 8
    parts = [read_json(two / "stepalign" / f"ledger.process-{k}.json") for k in (0, 1)]
    assert [part["num_samples"] for part in parts] == [20, 20]
    assert not list((one / "stepalign").glob("ledger.process-*"))


def test_training_ends_early_on_all_processes(one, two):
    for directory in (one, two):
        assert [row["step"] for row in read_jsonl(directory / "sometimes" / "evaluations.jsonl")] == [2, 4]
    assert read_json(two / "sometimes" / "best.json") == read_json(one / "sometimes" / "best.json")


def test_the_averaged_teacher_is_that_of_one_process(one, two):
    a, b = (load_file(directory / "sometimes" / "checkpoint-4" / "teacher.safetensors") for directory in (one, two))
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert (b[name] - value).norm() <= 1e-3 * value.norm() + 1e-7


def test_fsdp2_trains_an_adapter_that_evaluate_loads(one, tmp_path, capsys):
    run(tmp_path, "fsdp", processes=2)
    assert metrics(tmp_path / "fsdp", "loss") == pytest.approx(metrics(one / "lora", "loss"), rel=1e-4)
    checkpoint = tmp_path / "fsdp" / "checkpoint-3"
    assert (checkpoint / "pytorch_model_fsdp.bin").exists()  # it was sharded
    sharded, plain = (load_file(c / "adapter_model.safetensors") for c in (checkpoint, one / "lora" / "checkpoint-3"))
    assert sharded.keys() == plain.keys() and any(value.norm() > 0 for n, value in sharded.items() if "lora_B" in n)
    problems = tmp_path / "problems.jsonl"
    write_jsonl(problems, (p.to_json() for p in make_problems(World(), 2, seed=77)))
    out = ["--output_dir", str(tmp_path / "evaluated"), "--num_samples", "2", "--max_new_tokens", "24"]
    assert main(["evaluate", "--model", "micro", "--adapter", str(checkpoint), "--problems", str(problems), *out]) == 0
    assert "avg@2" in capsys.readouterr().out
