"""The card of a run and of its checkpoints: loads as one, says what was trained on what, and names no other method."""

import json

import pytest
import yaml
from huggingface_hub import ModelCard

from stepalign.cli import main
from stepalign.core.files import read_jsonl, write_jsonl
from stepalign.micro import World, make_problems
from stepalign.settings.commands import TRAIN
from stepalign.settings.given import read_given
from stepalign.settings.resolve import resolve_training
from stepalign.training.model_card import model_card

QUICK = ["--config", "micro", "--max_steps", "2", "--save_steps", "1", "--per_device_train_batch_size", "2",
         "--num_samples", "2", "--max_completion_length", "24", "--micro_num_train", "8"]  # fmt: skip
LORA = ["--use_peft", "--lora_r", "4", "--lora_target_modules", "q_proj", "v_proj"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with validation, and where its validation problems are."""
    directory = tmp_path_factory.mktemp("cards")
    problems = directory / "held-out.jsonl"
    write_jsonl(problems, (p.to_json() for p in make_problems(World(), 3, seed=77)))
    argv = ["train", *QUICK, *LORA, "--condition", "stepalign", "--output_dir", str(directory / "run")]
    assert main([*argv, "--validation_problems", str(problems)]) == 0
    return directory / "run"


def test_it_loads_and_says_what_was_trained_on_what(run):
    card = ModelCard.load(run / "README.md")
    assert card.data.library_name == "peft" and card.data.license is None
    assert {"stepalign", "self-distillation", "micro-world"} <= {*card.data.tags}
    for said in ("| condition | stepalign |", "| critic | exact |", "8, the micro world's", "3, held-out.jsonl"):
        assert said in card.text
    assert "The micro world is constructed" in card.text
    assert "2606.11173" in card.text and "Kara, Semih and Ersoy, Oğuzhan" in card.text
    assert "[None]" not in card.text and "On-Policy Distillation" not in card.text and str(run.parent) not in card.text
    assert "trl 1." in card.text and "stepalign 0." in card.text
    settings = yaml.safe_load(card.text.split("```yaml\n")[1].split("```")[0])
    assert settings["lora_r"] == 4 and settings["learning_rate"] == 0.0001 and settings["num_samples"] == 2
    assert not {"output_dir", "hub_token", "temperature", "beta"} & {*settings}


def test_each_checkpoint_has_its_own_results_beside_what_explains_them(run):
    rows, best = read_jsonl(run / "evaluations.jsonl"), json.loads((run / "best.json").read_text())
    for row in rows:
        text = ModelCard.load(run / f"checkpoint-{row['step']}" / "README.md").text
        metrics = row["validation"]
        assert f"| avg@2 | {100 * metrics['avg@2']:.1f} |" in text and f"in {row['step']} step" in text
        assert f"cut off {100 * metrics['truncated_rate']:.1f} %" in text
        assert f"no answer found {100 * metrics['unparseable_rate']:.1f} %" in text
    text = ModelCard.load(run / "README.md").text
    assert f"{best['checkpoint']} is the best of 2" in text and f"| avg@2 | {100 * best['value']:.1f} |" in text


def test_grpo_has_no_critic_and_no_other_citation(tmp_path):
    argv = ["train", *QUICK, "--condition", "grpo", "--num_generations", "2", "--output_dir", str(tmp_path / "run")]
    assert main([*argv, "--max_steps", "1"]) == 0
    card = ModelCard.load(tmp_path / "run" / "checkpoint-1" / "README.md")
    assert card.data.library_name == "transformers" and "grpo" in card.data.tags
    assert "| condition | grpo |" in card.text and "| critic |" not in card.text and "critic_" not in card.text
    assert "Not evaluated" in card.text and card.text.count("@article") == 1


def test_a_model_of_the_hub_is_named_as_the_base(tmp_path):
    problems = tmp_path / "train.jsonl"
    write_jsonl(problems, (p.to_json() for p in make_problems(World(), 8, seed=5)))
    argv = ["--model_name_or_path", "Qwen/Qwen3-0.6B", "--train_problems", str(problems), "--condition", "stepalign"]
    argv += ["--critic_base_url", "http://10.0.0.5/v1", "--critic_model", "Qwen/QwQ-32B", "--beta", "0.3"]
    argv += ["--divergence", "jsd", "--output_dir", str(tmp_path / "run")]
    card = ModelCard(model_card(resolve_training(read_given(TRAIN, argv), offline=True), None))
    assert card.data.base_model == "Qwen/Qwen3-0.6B" and "micro" not in card.text
    assert "| critic | openai: Qwen/QwQ-32B |" in card.text and "10.0.0.5" not in card.text
    assert "beta: 0.3" in card.text and "8, train.jsonl" in card.text
