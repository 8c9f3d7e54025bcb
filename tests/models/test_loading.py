import socket

import pytest

from stepalign.core.errors import ModelError
from stepalign.models import loading
from stepalign.models.loading import check_model, load_model


def test_the_shipped_solver_loads_with_plain_transformers():
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from stepalign.micro import SOLVER_DIR

    model = AutoModelForCausalLM.from_pretrained(SOLVER_DIR)
    tokenizer = AutoTokenizer.from_pretrained(SOLVER_DIR)
    assert model.config.vocab_size == len(tokenizer)
    assert sum(path.stat().st_size for path in SOLVER_DIR.parent.rglob("*.safetensors")) < 10_000_000


def test_a_directory_that_is_no_model_says_what_is_missing(tmp_path):
    with pytest.raises(ModelError, match=r"no config\.json"):
        load_model(str(tmp_path))


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/dir", "a/b/c"])
def test_a_missing_directory_is_told_at_once(name):
    with pytest.raises(ModelError, match="no model directory"):
        check_model(name)


def test_a_broken_config_is_an_error_of_ours(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot load the model"):
        load_model(str(tmp_path))


@pytest.mark.parametrize("name", ["no such model", "my--model", "models/"])
def test_what_no_hub_name_can_be_is_told_so(name):
    with pytest.raises(ModelError, match="no valid hub name"):
        check_model(name)


def test_the_solver_knows_its_prompts_and_another_model_has_none():
    from stepalign.micro import SOLVER_DIR
    from stepalign.models.loading import own_defaults, read_own_defaults

    assert read_own_defaults(str(SOLVER_DIR)) == {"prompt_templates": "bare", "max_new_tokens": 160}
    assert own_defaults(object()) == {}


def test_an_unreachable_hub_is_told_after_one_attempt(monkeypatch):
    attempts = []

    def refuse(address, timeout):
        attempts.append(address)
        raise OSError("refused")

    monkeypatch.setattr(loading.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "create_connection", refuse)
    for key in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(key, raising=False)
    with pytest.raises(ModelError, match="cannot be reached"):
        check_model("someone/some-model-that-is-not-cached")
    assert len(attempts) == 1


def test_offline_says_that_it_is_offline(monkeypatch):
    monkeypatch.setattr(loading.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE"):
        check_model("someone/some-model-that-is-not-cached")


def test_a_base_model_without_a_chat_template_is_offered_a_plain_one(tmp_path):
    from stepalign.models.prompts import chat_prompts
    from stepalign.models.random_init import save_random_qwen3

    directory = save_random_qwen3(tmp_path / "base", ["What is 2 + 2? It is 4. "] * 20)
    (directory / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match=r"no chat template, as with base models.*--prompt_templates plain"):
        load_model(str(directory))
    tokenizer = load_model(str(directory), prompt_templates="plain").tokenizer
    assert chat_prompts(tokenizer, ["What is 2 + 2?"])[0].text == "User: What is 2 + 2?\n\nAssistant:"
    said = [{"role": "user", "content": "2?"}, {"role": "assistant", "content": "2."}]
    assert tokenizer.apply_chat_template([said], tokenize=False, add_generation_prompt=False) == [
        "User: 2?\n\nAssistant: 2.<|im_end|>\n\n"
    ]
