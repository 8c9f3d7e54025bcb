"""`stepalign train` from its command line, in process; the long way round is in tests/end_to_end."""

import json
import shlex

import pytest

from stepalign.cli import main
from stepalign.core.files import read_jsonl
from stepalign.runs.files import SPLITS

QUICK = ["--config", "micro", "--max_steps", "2", "--save_steps", "1", "--per_device_train_batch_size", "4",
         "--max_completion_length", "24", "--micro_num_train", "8"]  # fmt: skip


def test_a_run_leaves_everything_that_tells_what_happened(tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", *QUICK, "--condition", "refsol", "--output_dir", str(out)]) == 0
    said = capsys.readouterr().out
    assert "2 checkpoint(s)" in said and f"stepalign report {out}" in said
    assert len(read_jsonl(out / "problems.used.jsonl")) == 8
    assert main(["report", str(out)]) == 0 and "8 problems" in (out / "report.html").read_text()
    assert [row["step"] for row in read_jsonl(out / "metrics.jsonl")] == [1, 2]
    rollouts = read_jsonl(out / "rollouts.jsonl")
    assert len(rollouts) == 8 and {row["context_status"] for row in rollouts} == {"ok"}
    assert all(row["context"] and row["grade"] in ("correct", "wrong", "unparseable") for row in rollouts)
    prompts = json.loads((out / "prompts.json").read_text())
    assert prompts["student"].endswith("<|im_start|>assistant\n")
    assert rollouts[0]["context"] in prompts["teacher"] and rollouts[0]["context"] not in prompts["student"]
    last = read_jsonl(out / "metrics.jsonl")[-1]
    assert last["num_rollouts"] == 8 and last["num_generated_tokens"] == sum(r["num_tokens"] for r in rollouts)
    assert json.loads((out / "environment.json").read_text())["packages"]["torch"]

    own = ["--problems", str(out / "problems.used.jsonl"), "--samples", str(out / "rollouts.jsonl"), "--output_dir"]
    assert main(["grade", *own, str(tmp_path / "graded")]) == 0
    assert [row["grade"] for row in read_jsonl(tmp_path / "graded" / "samples.jsonl")] == [r["grade"] for r in rollouts]
    assert main(["critique", "--critic", "exact", *own, str(tmp_path / "critiqued")]) == 0
    assert len(read_jsonl(tmp_path / "critiqued" / "critiques.jsonl")) == 8
    argv = ["--run", str(out), "--rollout", "0", "--critic", "exact", "--output_dir", str(tmp_path / "inspected")]
    assert main(["inspect", *argv]) == 0
    assert all(main(["report", str(tmp_path / name)]) == 0 for name in ("graded", "critiqued", "inspected"))

    assert main(["train", *QUICK, "--condition", "refsol", "--output_dir", str(out)]) == 0  # finished: nothing to do
    assert len(read_jsonl(out / "rollouts.jsonl")) == 8
    code = main(["train", *QUICK, "--condition", "refsol", "--learning_rate", "0.5", "--output_dir", str(out)])
    assert code == 2 and "learning_rate is 0.0001 there and 0.5 now" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--condition", "stepalgin"], "unknown condition 'stepalgin'; perhaps you meant 'stepalign'"),
        (["--condition", "stepalign", "--critic", "exct"], "unknown critic 'exct'"),
        (["--model_name_or_path", "./no/model"], "no model directory './no/model'"),
        (["--train_problems", "missing.jsonl"], "missing.jsonl"),
        (["--learning_rate", "fast"], "learning_rate"),
        (["--micro_num_train", "3"], "3 training problems do not fill one step of 4 prompts"),
        (["--prompt_templates", "bair"], "perhaps you meant 'bare'"),
        (["--micro_foreign", "7"], "expected a share between 0 and 1"),
        (["--early_stopping_patience", "2"], "early_stopping_patience needs validation_problems"),
        (["--teacher", "emma"], "perhaps you meant 'ema'"),
        (["--max_tokens_per_pass", "0"], "max_tokens_per_pass: got 0; expected 1 or more"),
        (["--use_vllm", "true"], "use_vllm is set, and vLLM is not installed"),
    ],
)
def test_bad_input_is_one_clear_message_and_exit_code_2(tmp_path, capsys, monkeypatch, argv, message):
    monkeypatch.setattr("stepalign.settings.resolve.is_vllm_available", lambda: False)
    assert main(["train", *QUICK, "--output_dir", str(tmp_path / "run"), *argv]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_each_checkpoint_is_validated_and_the_best_one_named(tmp_path, capsys):
    from stepalign.core.files import write_jsonl
    from stepalign.micro import World, make_problems

    problems = tmp_path / "validation.jsonl"
    write_jsonl(problems, (p.to_json() for p in make_problems(World(), 3, seed=77)))
    argv = ["train", *QUICK, "--condition", "refsol", "--num_samples", "2", "--output_dir", str(tmp_path / "run")]
    assert main([*argv, "--validation_problems", str(problems)]) == 0
    rows = read_jsonl(tmp_path / "run" / "evaluations.jsonl")
    assert [row["step"] for row in rows] == [1, 2]
    assert rows[0]["validation"]["num_problems"] == 3 and "avg@2" in rows[0]["validation"]
    best = json.loads((tmp_path / "run" / "best.json").read_text())
    assert best["value"] == max(row["validation"]["avg@2"] for row in rows)
    assert f"the best one on validation: {best['checkpoint']}, avg@2" in capsys.readouterr().out

    argv[-1] = str(tmp_path / "other")
    train = ["--train_problems", str(problems), "--per_device_train_batch_size", "2"]
    assert main([*argv, *train, "--validation_problems", str(problems)]) == 2
    assert "is in the training problems, too" in capsys.readouterr().err


LORA = ["--use_peft", "--lora_r", "4", "--lora_target_modules", "q_proj", "v_proj"]


@pytest.mark.parametrize("more", [[], LORA, ["--validation_problems"]], ids=["model", "adapter", "validation"])
def test_it_ends_with_what_came_out_and_a_command_that_works(tmp_path, capsys, monkeypatch, more):
    monkeypatch.chdir(tmp_path)
    if more == ["--validation_problems"]:
        assert main(["micro", "--output_dir", "given", "--num_validation", "3", "--seed", "9"]) == 0
        more = [*more, "given/validation.jsonl"]
    argv = ["train", *QUICK, "--condition", "refsol", "--num_samples", "1", *more, "--output_dir", "out"]
    assert main(argv) == 0
    printed = capsys.readouterr()
    assert "step 1 of 2: loss " in printed.err and "step 2 of 2: loss " in printed.err
    rows = read_jsonl(tmp_path / "out" / "metrics.jsonl")
    assert "Trained refsol for 2 steps; first logged step -> last:" in printed.out
    assert f"loss             {rows[0]['loss']:.3g} -> {rows[1]['loss']:.3g}" in printed.out
    for label, key in (("correct", "rollouts/correct_rate"), ("cut off", "completions/clipped_ratio")):
        assert f"{label:<16} {100 * rows[0][key]:.0f} % -> {100 * rows[1][key]:.0f} %" in printed.out
    commands = [shlex.split(line) for line in printed.out.split("Next:\n")[1].splitlines() if line.startswith("  ")]
    evaluated = commands[-1]
    assert evaluated[:2] == ["stepalign", "evaluate"] and ("--adapter" in evaluated) == (more == LORA)
    for command in commands:
        assert main([*command[1:]]) == 0
    metrics = json.loads((tmp_path / evaluated[evaluated.index("--output_dir") + 1] / "metrics.json").read_text())
    assert metrics["num_samples"] == 1 and metrics["mean_length"] <= 24
    if not more:  # what it was trained on is not among the problems it is evaluated on
        splits = [
            {row["problem"] for row in read_jsonl(tmp_path / "out/problems" / f"{name}.jsonl")} for name in SPLITS
        ]
        assert len(splits[0]) == 8 and not splits[0] & splits[2]
        assert {row["problem_id"] for row in read_jsonl(tmp_path / "out" / "rollouts.jsonl")} <= {
            row["id"] for row in read_jsonl(tmp_path / "out/problems/train.jsonl")
        }


def test_disable_tqdm_silences_the_progress(tmp_path, capsys):
    assert (
        main(["train", *QUICK, "--condition", "refsol", "--disable_tqdm", "true", "--output_dir", str(tmp_path)]) == 0
    )
    printed = capsys.readouterr()
    assert "step 1" not in printed.err and "Next:" in printed.out


def test_checkpoints_of_another_program_are_not_touched(tmp_path, capsys):
    foreign = tmp_path / "checkpoint-5" / "model.safetensors"
    foreign.parent.mkdir()
    foreign.write_bytes(b"theirs")
    assert main(["train", *QUICK, "--condition", "refsol", "--output_dir", str(tmp_path)]) == 2
    assert "checkpoints of another program" in capsys.readouterr().err
    assert foreign.read_bytes() == b"theirs"


def test_a_full_disk_is_one_clear_message(tmp_path, capsys, monkeypatch):
    from transformers import Trainer

    def full(*_):
        raise RuntimeError("[enforce fail] . PytorchStreamWriter failed writing file: No space left on device")

    monkeypatch.setattr(Trainer, "_save_checkpoint", full)
    assert main(["train", *QUICK, "--condition", "refsol", "--output_dir", str(tmp_path / "run")]) == 2
    assert "No space left on device. Free some space" in capsys.readouterr().err


def test_without_a_directory_it_says_so(capsys):
    assert main(["train", "--config", "micro"]) == 2
    assert "--output_dir" in capsys.readouterr().err


def test_help_shows_our_settings_first(capsys):
    assert main(["train", "--help"]) == 0
    text = capsys.readouterr().out
    assert "--condition" in text and "--divergence" in text and "--help_all" in text
    assert "--adam_beta1" not in text
    assert main(["train", "--help_all"]) == 0
    assert "--adam_beta1" in capsys.readouterr().out


@pytest.mark.parametrize("condition", ["grpo", "stepalign"])
def test_a_run_taken_up_again_has_the_weights_of_one_that_was_not_stopped(tmp_path, capsys, condition):
    # 8 problems, 4 a step: the second half is in the second epoch, whose order must be found again
    settings = [*QUICK, "--condition", condition, "--num_generations", "2", "--save_steps", "2"]
    assert main(["train", *settings, "--max_steps", "4", "--output_dir", str(tmp_path / "whole")]) == 0
    assert main(["train", *settings, "--max_steps", "2", "--output_dir", str(tmp_path / "parts")]) == 0
    assert main(["train", *settings, "--max_steps", "4", "--output_dir", str(tmp_path / "parts")]) == 0
    whole, parts = (tmp_path / name / "checkpoint-4" / "model.safetensors" for name in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()
    assert [row["text"] for row in read_jsonl(tmp_path / "whole" / "rollouts.jsonl")] == [
        row["text"] for row in read_jsonl(tmp_path / "parts" / "rollouts.jsonl")
    ]
