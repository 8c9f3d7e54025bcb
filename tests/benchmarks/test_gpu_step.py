"""The measurement of a step on a GPU, at a tiny size on a CPU; and what it counts, against hand-worked numbers."""

import json
import os
import sys
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

from benchmarks.flops import Parameters, count, generation_flops, memory_bytes, pass_flops
from benchmarks.sizes import QWEN3_1_7B
from benchmarks.stages import BACKWARD, FORWARD, GENERATION, OPTIMIZER, OTHER, Lengths
from benchmarks.trainers import make_model

from benchmarks import gpu_step


@pytest.fixture
def run(monkeypatch, tmp_path):
    def run(*arguments):
        argv = ["gpu_step", "--output_dir", str(tmp_path), *arguments]
        monkeypatch.setattr(sys, "argv", argv)
        return gpu_step.main()

    return run


def test_a_tiny_step_leaves_its_stages_as_json_and_a_table(run, tmp_path, capsys):
    assert run("--tiny", "--device", "cpu", "--peak_tflops", "1", "--steps", "1") == 0
    results = json.loads((tmp_path / "gpu_step.json").read_text())
    summary = results["summary"]
    assert list(summary["stages"]) == [GENERATION, FORWARD, BACKWARD, OPTIMIZER, OTHER]
    assert all(stage["seconds"] > 0 for stage in summary["stages"].values())
    assert sum(s["seconds"] for s in summary["stages"].values()) == pytest.approx(summary["step"]["seconds"])
    tokens = summary["tokens"]
    assert tokens["responses"] == 4 * 12  # none ended early
    context = tokens["teacher_prompts"] - tokens["prompts"]
    assert tokens["prompts"] == 4 * (12 + 8) and context == 4 * (24 + 7)  # the chat template; "Solve it."
    backward = summary["stages"][BACKWARD]
    assert backward["tokens"] == tokens["prompts"] + tokens["responses"]
    assert backward["share_of_peak"] == pytest.approx(backward["tflops"])
    assert (tmp_path / "gpu_step.md").read_text().count("\n| ") == 7
    assert "| backward |" in capsys.readouterr().out


def test_without_generation_its_stage_and_operations_are_left_out(run, tmp_path):
    assert run("--tiny", "--device", "cpu", "--skip_generation", "--steps", "1", "--micro_batch_size", "4") == 0
    summary = json.loads((tmp_path / "gpu_step.json").read_text())["summary"]
    assert GENERATION not in summary["stages"] and summary["tokens"]["responses"] == 4 * 12
    assert summary["step"]["share_of_peak"] is None  # of what is not known
    done = sum(stage["tflops"] * stage["seconds"] for stage in summary["stages"].values() if stage["tflops"])
    assert summary["step"]["tflops"] * summary["step"]["seconds"] == pytest.approx(done)


def test_without_a_gpu_it_says_what_it_needs(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert run() == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "no CUDA device is visible" in error
    assert "about 12 GB of free memory" in error and "weights 3.4" in error and "key-value cache 7.9" in error
    assert not list(tmp_path.iterdir())
    assert run("--micro_batch_size", "5") == 2
    assert "expected a divisor of 32" in capsys.readouterr().err


def test_the_parameters_are_those_of_the_model():
    counted = count(gpu_step.TINY)
    matrices = {n: p.numel() for n, p in make_model(gpu_step.TINY).named_parameters() if p.dim() == 2}
    adapter = sum(size for name, size in matrices.items() if "lora" in name)
    assert counted.adapter == adapter
    assert counted.layers + counted.head == sum(matrices.values()) - adapter
    real = count(QWEN3_1_7B)
    assert (real.layers, real.head) == (28 * (2 * 2048 * 2048 + 2 * 2048 * 1024 + 3 * 2048 * 6144), 151_936 * 2048)
    assert real.adapter == 28 * 64 * (2 * 4096 + 2 * 3072 + 3 * 8192)


def test_torch_counts_the_same_operations_of_a_forward_pass():
    model = make_model(gpu_step.TINY).eval()
    model.set_attn_implementation("eager")
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(input_ids=torch.ones(1, 10, dtype=torch.long))
    parameters = count(gpu_step.TINY)
    # torch multiplies the whole square of attention, of which half is masked
    lengths = Lengths([4], [4], [6])
    rest = 2 * parameters.head * 4 + 2 * parameters.attention_width * 10**2
    assert counter.get_total_flops() == generation_flops(parameters, lengths) + rest


def test_operations_by_hand():
    parameters = Parameters(layers=10, head=5, adapter=2, attention_width=3)
    lengths = Lengths([1], [2], [3])
    student, teacher = 2 * 12 * 4 + 2 * 5 * 3 + 2 * 3 * 16, 2 * 10 * 5 + 2 * 5 * 3 + 2 * 3 * 25
    assert generation_flops(parameters, lengths) == student
    assert pass_flops(parameters, lengths) == (student + teacher + 2 * 5 * 3, 2 * (10 + 2 * 2) * 4 + 4 * 3 * 16)


def test_memory_grows_with_what_it_is_for():
    small = memory_bytes(QWEN3_1_7B, 32)
    longer = memory_bytes(replace(QWEN3_1_7B, longest=4096), 32)
    assert small["weights"] == longer["weights"] == pytest.approx(3.44e9, rel=1e-2)
    assert longer["key-value cache"] == pytest.approx(small["key-value cache"] * (96 + 4096) / (96 + 2048))
