"""The warm start before a study on real problems, with a tiny random model."""

import json

import pytest

from scripts import warm_start
from stepalign.cli import main
from stepalign.models.random_init import save_random_qwen3

ROWS = [{"question": f"Ann has {i} jars of 4. How many?", "answer": f"{i}*4=<<{i}*4={4 * i}>>{4 * i}\n#### {4 * i}"}
        for i in range(2, 12)]  # fmt: skip


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gsm8k.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    save_random_qwen3(tmp_path / "random", [json.dumps(ROWS)])
    return tmp_path


def test_solutions_are_taught_in_step_tags(files):
    rows = warm_start.rows("gsm8k.jsonl", 4)
    assert len(rows) == 6
    assert rows[0]["completion"][0]["content"] == "<step_1>6*4=24</step_1>\n<answer>24</answer>"
    assert rows[0]["prompt"][0]["content"].startswith("Ann has 6 jars of 4. How many?")
    assert "<step_1>" in rows[0]["prompt"][0]["content"]  # what the student is told to write
    with pytest.raises(SystemExit, match="after the first 10"):
        warm_start.rows("gsm8k.jsonl", 10)


@pytest.mark.slow
def test_it_leaves_an_adapter_and_a_model_and_the_recipe_takes_it(files, monkeypatch, capsys):
    argv = ["warm_start", "--model", "random", "--problems", "gsm8k.jsonl", "--output_dir", "runs/gsm8k-smollm2"]
    options = ["--skip", "2", "--max_steps", "2", "--batch_size", "2", "--lora_r", "2"]
    monkeypatch.setattr("sys.argv", argv + options)
    warm_start.main()
    assert (files / "runs/gsm8k-smollm2/adapter/adapter_model.safetensors").stat().st_size < 1_000_000
    before = (files / "runs/gsm8k-smollm2/model/model.safetensors").stat().st_mtime_ns
    warm_start.main()  # nothing is done twice
    assert (files / "runs/gsm8k-smollm2/model/model.safetensors").stat().st_mtime_ns == before
    small = ["--num_problems", "10", "--num_validation", "1", "--num_test", "1", "--num_samples", "2"]
    off = ["--min_format_rate", "0", "--correct_rate_above", "-1", "--max_new_tokens", "8"]
    out = ["--source", "gsm8k.jsonl", "--adapter", "gsm8k", "--output_dir", "runs/gsm8k-smollm2/curated"]
    assert main(["curate", "--config", "curate-gsm8k-smollm2", *out, *small, *off]) == 0
    steps = ["--max_steps", "1", "--per_device_train_batch_size", "8", "--max_completion_length", "8"]
    assert main(["train", "--config", "gsm8k-smollm2", "--condition", "stepalign", *steps, "--output_dir", "run"]) == 0
    ledger = json.loads((files / "run" / "ledger.json").read_text())
    assert ledger["num_samples"] == ledger["num_verified"] == 8
