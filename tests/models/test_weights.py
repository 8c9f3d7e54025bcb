"""Models and adapters that do not load are blamed by their own name, with what does not fit."""

import json
import shutil

import pytest
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from stepalign.core.errors import ModelError
from stepalign.micro import SOLVER_DIR
from stepalign.models.loading import check_model, load_model
from stepalign.models.random_init import save_random_qwen3
from stepalign.models.weights import base_of

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
FILE = "adapter_model.safetensors"


def save_adapter(base, directory):
    model = AutoModelForCausalLM.from_pretrained(base)
    get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj"])).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    return save_adapter(str(SOLVER_DIR), tmp_path_factory.mktemp("adapter"))


@pytest.fixture
def copy(adapter, tmp_path):
    shutil.copytree(adapter, tmp_path / "mine")
    return tmp_path / "mine"


def cut(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return len(data)


def trouble(name=SOLVER_DIR, adapter=None):
    with pytest.raises(ModelError) as error:
        load_model(str(name), None if adapter is None else str(adapter))
    return str(error.value)


def test_an_adapter_that_fits_loads(adapter):
    model, _ = load_model(str(SOLVER_DIR), str(adapter))
    assert type(model).__name__.startswith("Peft") and base_of(str(adapter)) == str(SOLVER_DIR)


def test_an_adapter_without_weights(copy):
    (copy / FILE).unlink()
    assert f"the adapter '{copy}' has no weights; expected {FILE}" in trouble(adapter=copy)


def test_weights_that_are_cut_off(copy, tmp_path):
    length = cut(copy / FILE)
    assert f"{FILE} of the adapter is cut off" in trouble(adapter=copy)
    assert f"it has {length // 2:,} of {length:,} bytes" in trouble(adapter=copy)
    shutil.copytree(SOLVER_DIR, tmp_path / "model")
    cut(tmp_path / "model" / "model.safetensors")
    assert "model.safetensors of the model is cut off" in trouble(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"<html>not found</html>")
    assert "of the model is cut off or damaged" in trouble(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"")
    assert "it has 0 of 8 bytes" in trouble(tmp_path / "model")


def test_a_pointer_in_the_place_of_weights_is_told_before_anything_is_loaded(copy, tmp_path):
    shutil.copytree(SOLVER_DIR, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_text(POINTER)
    with pytest.raises(ModelError, match=r"model\.safetensors only points to one \(Git LFS\)\. Run git lfs pull"):
        check_model(str(tmp_path / "model"))
    (copy / FILE).write_text(POINTER)
    assert f"the adapter '{copy}' was cloned without its large files" in trouble(adapter=copy)


def test_an_adapter_of_another_base_names_shapes_and_that_base(tmp_path):
    other = save_random_qwen3(tmp_path / "other", ["a b c"])
    adapter = save_adapter(str(other), tmp_path / "adapter")
    said = trouble(adapter=adapter)
    assert f"the adapter '{adapter}' does not fit the model" in said and f"It was made for '{other}'" in said
    assert "layers.0.self_attn.q_proj.lora_A" in said and "[4, 64] in the adapter and [4, 128] on the model" in said


def test_layers_that_the_model_has_not_or_the_adapter_has_not(copy):
    tensors = load_file(copy / FILE)
    deeper = {key.replace("layers.0", "layers.30"): value.clone() for key, value in tensors.items()}
    save_file({**tensors, **deeper}, copy / FILE)
    assert "the model has no place for base_model.model.model.layers.30.self_attn.q_proj" in trouble(adapter=copy)
    save_file({key: value for key, value in tensors.items() if "layers.0" in key}, copy / FILE)
    assert "the adapter lacks base_model.model.model.layers.1.self_attn.q_proj" in trouble(adapter=copy)


def test_modules_that_the_model_does_not_have(copy):
    config = json.loads((copy / "adapter_config.json").read_text())
    (copy / "adapter_config.json").write_text(json.dumps({**config, "target_modules": ["c_attn"]}))
    said = trouble(adapter=copy)
    assert f"the adapter '{copy}' cannot be loaded onto" in said and "c_attn" in said


def test_weights_of_other_shapes_than_the_config_says(tmp_path):
    shutil.copytree(SOLVER_DIR, tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    config["intermediate_size"] *= 2
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    said = trouble(tmp_path / "model")
    assert "mlp" in said and "in the weights and" in said and "config.json of the same model" in said


def test_an_adapter_in_the_place_of_a_model_says_what_it_is(adapter):
    said = trouble(adapter)
    assert f"'{adapter}' is an adapter and no whole model" in said and str(SOLVER_DIR) in said
