import json
import shutil

import pytest
from peft import LoraConfig, get_peft_model

from stepalign.cli import main
from stepalign.core.files import read_jsonl
from stepalign.micro import SOLVER_DIR
from stepalign.models import load_model


@pytest.fixture
def problems(tmp_path, capsys):
    assert (
        main(
            [
                "micro",
                "--output_dir",
                str(tmp_path / "p"),
                "--num_train",
                "1",
                "--num_validation",
                "1",
                "--num_test",
                "5",
            ]
        )
        == 0
    )
    capsys.readouterr()
    return tmp_path / "p" / "test.jsonl"


def evaluate(problems, out, *more):
    argv = ["evaluate", "--model", "micro", "--problems", str(problems), "--output_dir", str(out), "--num_samples", "4"]
    return main([*argv, "--max_new_tokens", "60", "--batch_size", "8", *more])


def test_a_finished_evaluation_is_not_replaced_by_another(problems, tmp_path, capsys):
    assert evaluate(problems, tmp_path / "a") == 0
    before = (tmp_path / "a" / "samples.jsonl").read_bytes()
    assert evaluate(problems, tmp_path / "a", "--temperature", "0.5") == 2
    assert "holds an evaluation with other settings: temperature is 1.1 there and 0.5 now" in capsys.readouterr().err
    assert (tmp_path / "a" / "samples.jsonl").read_bytes() == before
    assert evaluate(problems, tmp_path / "a", "--k", "2") == 0  # the same samples, read in another way


def test_an_adapters_directory_finds_its_base(problems, tmp_path, capsys, caplog):
    adapter, other = tmp_path / "adapter", tmp_path / "other"
    get_peft_model(load_model(str(SOLVER_DIR)).model, LoraConfig(target_modules=["q_proj"])).save_pretrained(adapter)
    assert evaluate(problems, tmp_path / "a", "--model", str(adapter)) == 0
    assert f"'{adapter}' is an adapter; its base is '{SOLVER_DIR}'" in caplog.text
    shutil.copytree(adapter, other)
    config = json.loads((other / "adapter_config.json").read_text())
    for base, message in (("/no/such", "its base is not there: no model directory '/no/such'"), (None, "does not say")):
        (other / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": base}))
        assert evaluate(problems, tmp_path / "b", "--model", str(other)) == 2
        error = capsys.readouterr().err
        assert message in error and "--adapter" in error and "Traceback" not in error


@pytest.mark.parametrize(
    "template", ["{{ raise_exception('No system message') }}", "{% if x %}{{ messages", "{{ 1/0 }}"]
)
def test_a_chat_template_that_fails_is_one_message(template, problems, tmp_path, capsys):
    shutil.copytree(SOLVER_DIR, tmp_path / "model")
    (tmp_path / "model" / "chat_template.jinja").write_text(template)
    assert evaluate(problems, tmp_path / "a", "--model", str(tmp_path / "model")) == 2
    error = capsys.readouterr().err
    assert f"the chat template of '{tmp_path / 'model'}' fails on a single user message" in error
    assert "Traceback" not in error


def test_half_a_surrogate_pair_in_a_problem_is_replaced(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"id": "a\\ud83d", "problem": "Start with 47. Add 38. \\ud83d", "answer": "85"}\n')
    assert evaluate(path, tmp_path / "a") == 0
    assert {row["problem_id"] for row in read_jsonl(tmp_path / "a" / "samples.jsonl")} == {"a\ufffd"}


def test_metrics_and_samples_are_written_and_the_same_seed_gives_the_same(problems, tmp_path, capsys):
    assert evaluate(problems, tmp_path / "a") == 0
    metrics = json.loads((tmp_path / "a" / "metrics.json").read_text())
    rates = {"unparseable_rate", "timeout_rate", "truncated_rate", "hedge_rate"}
    means = {"pass@4", "maj@4", "avg@4", "pass@k", "mean_length", "num_distinct_answers"}
    assert set(metrics) == {"num_problems", "num_samples", *means, *rates, "ci95"}
    assert list(metrics["pass@k"]) == ["1", "2", "3", "4"] and metrics["pass@k"]["4"] == metrics["pass@4"]
    samples = read_jsonl(tmp_path / "a" / "samples.jsonl")
    assert [(s["problem_id"], s["sample"]) for s in samples[:5]] == [("micro-0002", i) for i in range(4)] + [
        ("micro-0003", 0)
    ]
    assert metrics["avg@4"] == pytest.approx(sum(s["grade"] == "correct" for s in samples) / 20)
    out = capsys.readouterr().out
    assert "avg@4" in out and f"stepalign report {tmp_path / 'a'}" in out
    assert [row["id"] for row in read_jsonl(tmp_path / "a" / "problems.used.jsonl")][:2] == ["micro-0002", "micro-0003"]
    assert main(["report", str(tmp_path / "a")]) == 0
    assert evaluate(problems, tmp_path / "b") == 0
    assert (tmp_path / "a" / "samples.jsonl").read_bytes() == (tmp_path / "b" / "samples.jsonl").read_bytes()


def test_responses_without_an_answer_are_told_beside_the_accuracy_and_shown(problems, tmp_path, capsys):
    assert evaluate(problems, tmp_path / "o", "--max_new_tokens", "5", "--k", "2") == 0
    said = capsys.readouterr().out.splitlines()
    assert "avg@2: 0.0 [0.0, 0.0]" in said
    assert "of 5 x 4 responses: cut off 100.0 %, no answer found 100.0 %" in said
    first, second = said[said.index("No answer was found where these end, for example:") + 1 :][:2]
    row = read_jsonl(tmp_path / "o" / "samples.jsonl")[0]
    assert first == f"  {row['problem_id']}, sample 0: {row['text']!r}" and ", sample 1: " in second


def test_an_interrupted_evaluation_goes_on(problems, tmp_path, monkeypatch):
    assert evaluate(problems, tmp_path / "whole") == 0
    from stepalign.evaluation import evaluate as module

    sample_responses, calls = module.sample_responses, []

    def dies_after_one_batch(*args):
        for batch in sample_responses(*args):
            if calls:
                raise KeyboardInterrupt
            calls.append(len(batch))
            yield batch

    monkeypatch.setattr(module, "sample_responses", dies_after_one_batch)
    assert evaluate(problems, tmp_path / "cut") == 130
    assert len(read_jsonl(tmp_path / "cut" / "samples.partial.jsonl")) == calls[0]
    monkeypatch.setattr(module, "sample_responses", sample_responses)
    assert evaluate(problems, tmp_path / "cut", "--seed", "1") == 2  # other settings are not mixed in
    assert evaluate(problems, tmp_path / "cut") == 0
    assert (tmp_path / "cut" / "samples.jsonl").read_bytes() == (tmp_path / "whole" / "samples.jsonl").read_bytes()
    assert not (tmp_path / "cut" / "samples.partial.jsonl").exists()


def test_an_adapter_is_evaluated_on_its_base_model(problems, tmp_path):
    lora = ["--use_peft", "--lora_r", "4", "--lora_target_modules", "q_proj", "v_proj"]
    size = ["--max_steps", "1", "--save_steps", "1", "--per_device_train_batch_size", "2", "--micro_num_train", "2"]
    run = tmp_path / "run"
    assert main(["train", "--config", "micro", "--condition", "refsol", *lora, *size, "--output_dir", str(run)]) == 0
    assert (run / "checkpoint-1" / "adapter_model.safetensors").exists()
    assert evaluate(problems, tmp_path / "o", "--adapter", str(run / "checkpoint-1")) == 0
    assert (tmp_path / "o" / "metrics.json").exists()


def test_bad_input(problems, tmp_path, capsys):
    assert evaluate(problems, tmp_path / "o", "--k", "5") == 2
    assert "expected 1 to 4" in capsys.readouterr().err
    assert evaluate(problems, tmp_path / "o", "--model", str(tmp_path)) == 2
    assert "no config.json" in capsys.readouterr().err
    assert evaluate(problems, tmp_path / "o", "--temperature", "-1") == 2
    assert "temperature" in capsys.readouterr().err
