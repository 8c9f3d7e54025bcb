import subprocess
import sys

import pytest

from stepalign.core.files import write_jsonl
from stepalign.models.loading import load_model
from stepalign.models.random_init import VOCAB_SIZE, save_random_qwen3

TEXTS = ["Ann has 12 pens and buys 3 more.", "12 + 3 = <<12+3=15>>15 pens\n#### 15"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return save_random_qwen3(tmp_path_factory.mktemp("random") / "model", TEXTS)


def test_it_is_a_qwen3_that_loads_like_any_other(directory):
    model, tokenizer = load_model(str(directory))
    assert type(model).__name__ == "Qwen3ForCausalLM" and model.num_parameters() < 200_000
    assert model.config.vocab_size == len(tokenizer) <= VOCAB_SIZE + 2
    assert model.config.eos_token_id == tokenizer.eos_token_id == tokenizer.convert_tokens_to_ids("<|im_end|>")


@pytest.mark.parametrize("text", ["$50,000 <step_1>3/4</step_1>\n\n", "日本語 😀 \x00\u202e", "<think>\n\n</think>"])
def test_any_text_can_be_encoded(directory, text):
    tokenizer = load_model(str(directory)).tokenizer
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert len(tokenizer("<think>")["input_ids"]) == len(tokenizer("<|im_end|>")["input_ids"]) == 1


def test_the_template_knows_whether_the_model_may_think(directory):
    tokenizer = load_model(str(directory)).tokenizer
    messages = [{"role": "user", "content": "2 + 2?"}]

    def prompt(**kwargs):
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **kwargs)

    assert prompt(enable_thinking=True) == "<|im_start|>user\n2 + 2?<|im_end|>\n<|im_start|>assistant\n"
    assert prompt(enable_thinking=False) == prompt(enable_thinking=True) + "<think>\n\n</think>\n\n"


def test_the_same_texts_and_seed_give_the_same_files(directory, tmp_path):
    def files(path):
        return {file.name: file.read_bytes() for file in path.iterdir()}

    assert files(save_random_qwen3(tmp_path / "again", TEXTS)) == files(directory)
    other = files(save_random_qwen3(tmp_path / "other", TEXTS, seed=1))
    assert other["model.safetensors"] != files(directory)["model.safetensors"]
    assert other["tokenizer.json"] == files(directory)["tokenizer.json"]


def test_the_command_says_what_is_wrong_with_its_file(tmp_path):
    write_jsonl(tmp_path / "numbers.jsonl", [{"a": 1}])
    for name in ("nothing.jsonl", "numbers.jsonl"):
        argv = ["--texts", str(tmp_path / name), "--output_dir", str(tmp_path / "model")]
        done = subprocess.run(
            [sys.executable, "-m", "stepalign.models.random_init", *argv], capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 2 and f"{name}: no texts; expected a JSONL file" in done.stderr
        assert not (tmp_path / "model").exists()
