"""`--dry_run` of train and compare: it says what a run would take and touches nothing."""

import pytest
import yaml
from tests.fault_server import FaultServer

from stepalign.cli import main
from stepalign.core.files import write_jsonl

MICRO = ["--config", "micro", "--max_steps", "5", "--per_device_train_batch_size", "4", "--micro_num_train", "8",
         "--max_completion_length", "24"]  # fmt: skip


@pytest.fixture(autouse=True)
def no_weights(monkeypatch):
    """Loading weights, or asking the hub, fails."""
    from transformers import PreTrainedModel

    def fail(*_, **__):
        raise AssertionError("a dry run loads no weights")

    monkeypatch.setattr(PreTrainedModel, "from_pretrained", fail)
    monkeypatch.setattr("socket.create_connection", fail)


def test_train_says_what_it_would_take_and_writes_nothing(tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", *MICRO, "--condition", "stepalign", "--output_dir", str(out), "--dry_run"]) == 0
    text = capsys.readouterr().out
    settings, plan = text.split("Dry run: nothing was trained or written.")
    assert yaml.safe_load(settings)["max_steps"] == 5 and yaml.safe_load(settings)["prompt_templates"] == "bare"
    for line in ("steps: 5", "rollouts: 20 (4 prompts x 1 a step)", "generated tokens: at most 480",
                 "critic calls: 20\n", "FLOPs: about", "time: about", "estimates"):  # fmt: skip
        assert line in plan
    assert not out.exists()


def test_a_critics_server_is_greeted_and_the_plan_goes_on_without_it(tmp_path, capsys):
    argv = ["train", *MICRO, "--condition", "stepalign", "--critic", "openai", "--critic_model", "m", "--dry_run"]
    with FaultServer(lambda number, body: None) as server:
        assert main([*argv, "--critic_base_url", server.url]) == 0
    assert f"critic at {server.url}: answers\n" in capsys.readouterr().out and server.requests == []
    gone = ["--critic_base_url", "http://127.0.0.1:1/v1"]
    assert main([*argv, *gone]) == 0
    shown = capsys.readouterr().out
    assert "critic at http://127.0.0.1:1/v1: does not answer (cannot reach" in shown and "critic calls: 20" in shown
    assert main([*argv, *gone, "--critic_offline", "true"]) == 0
    assert "critic at http://127.0.0.1:1/v1: not asked: critic_offline" in capsys.readouterr().out
    assert main([*argv, *gone, "--condition", "refsol"]) == 0
    assert "critic at" not in capsys.readouterr().out


def test_epochs_are_turned_into_steps(capsys):
    epochs = ["--max_steps", "-1", "--num_train_epochs", "3"]
    assert main(["train", *MICRO, *epochs, "--condition", "refsol", "--dry_run"]) == 0
    assert "steps: 6" in capsys.readouterr().out  # 8 problems, 4 a step


def test_a_hub_model_that_is_not_here_is_planned_without_its_size(tmp_path, capsys):
    critic = ["--critic", "openai", "--critic_base_url", "http://127.0.0.1:1/v1", "--critic_model", "m",
              "--critic_price_in", "1", "--critic_price_out", "2"]  # fmt: skip
    argv = ["train", "--model_name_or_path", "nobody/nothing", *critic, "--max_steps", "3", "--dry_run"]
    assert main(argv) == 2  # problems are made for models of the micro world only
    assert "train_problems is not set" in capsys.readouterr().err
    write_jsonl(tmp_path / "p.jsonl", [{"id": str(i), "problem": f"{i} + 1", "answer": str(i + 1)} for i in range(8)])
    assert main([*argv, "--train_problems", str(tmp_path / "p.jsonl")]) == 0
    text = capsys.readouterr().out
    assert "config is not on this machine" in text and "4 characters a token" in text
    assert "FLOPs: not known" in text and "with those asked again" in text and "critic's cost: about" in text


def test_compare_plans_every_condition(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sizes = ["--micro_num_validation", "2", "--micro_num_test", "3", "--num_samples", "4", "--seeds", "0", "1"]
    assert main(["compare", *MICRO, "--save_steps", "5", *sizes, "--dry_run"]) == 0
    text = capsys.readouterr().out
    for condition, rollouts in (("grpo", 20), ("refsol", 20), ("stepalign", 20)):
        assert f"{condition}, each of 2 seeds:" in text and f"rollouts: {rollouts} (" in text
    assert "7 models (checkpoints and the base), 140 responses, at most 3360 tokens" in text  # 1 + 3 * 2, 4 * 5 each
    assert not list(tmp_path.iterdir())


def test_a_step_has_the_prompts_of_all_processes(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    compare = ["compare", *MICRO, "--save_steps", "5", "--conditions", "refsol", "--dry_run"]
    assert main([*compare, "--num_processes", "2"]) == 0
    assert "rollouts: 40 (8 prompts x 1 a step)" in capsys.readouterr().out
    assert main([*compare, "--num_processes", "3"]) == 2
    assert "8 training problems do not fill one step of 12 prompts" in capsys.readouterr().err
    assert main([*compare, "--num_processes", "0"]) == 2
    assert "num_processes: got 0; expected 1 or more" in capsys.readouterr().err


def test_bad_settings_are_told_as_they_are_in_a_run(capsys):
    assert main(["train", *MICRO, "--condition", "stepalgin", "--dry_run"]) == 2
    assert "perhaps you meant 'stepalign'" in capsys.readouterr().err
    assert main(["train", *MICRO, "--micro_num_train", "3", "--dry_run"]) == 2
    assert "do not fill one step" in capsys.readouterr().err
    assert main(["train", "--model_name_or_path", "./none", "--condition", "refsol", "--dry_run"]) == 2
    assert "no model directory './none'" in capsys.readouterr().err


def test_what_differs_from_the_defaults_is_shown_and_all_of_it_when_asked(capsys):
    assert main(["train", *MICRO, "--condition", "refsol", "--dry_run"]) == 0
    short = yaml.safe_load(capsys.readouterr().out.split("Dry run:")[0])
    assert short["condition"] == "refsol" and short["critic"] == "exact" and short["max_steps"] == 5
    assert "adam_beta1" not in short and "micro_seed" not in short and short["divergence"] == "reverse_kl"
    assert len(short) < 30
    assert main(["train", *MICRO, "--condition", "refsol", "--dry_run", "--show-all"]) == 0
    whole = yaml.safe_load(capsys.readouterr().out.split("Dry run:")[0])
    assert whole["adam_beta1"] == 0.9 and whole["micro_seed"] == 0 and {**whole, **short} == whole
