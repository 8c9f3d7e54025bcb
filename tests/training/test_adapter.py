"""The adapter's settings against the model: what TRL would hand to PEFT, which then finds nothing, and says so late."""

import pytest
from trl import ModelConfig

from stepalign.cli import main
from stepalign.core.errors import ConfigError
from stepalign.training.adapter import lora_config


def config(model, *names):
    return lora_config(ModelConfig(use_peft=True, lora_target_modules=list(names)), model)


def test_one_name_is_a_name_and_no_pattern(micro_solver):
    model, _ = micro_solver
    assert config(model, "q_proj").target_modules == ["q_proj"]
    assert config(model, "q_proj", "v_proj").target_modules == {"q_proj", "v_proj"}
    assert config(model, "self_attn.q_proj").target_modules == ["self_attn.q_proj"]
    assert config(model, "model.*q_proj").target_modules == "model.*q_proj"  # a pattern
    assert config(model, "all-linear").target_modules == "all-linear"


def test_without_an_adapter_there_is_none(micro_solver):
    assert lora_config(ModelConfig(), micro_solver[0]) is None


def test_names_that_the_model_does_not_have_are_told_with_those_it_has(micro_solver):
    model, _ = micro_solver
    for names in (["q_porj"], ["q_porj", "c_attn"]):
        with pytest.raises(ConfigError, match=r"q_porj; perhaps|c_attn, q_porj; expected"):
            config(model, *names)


@pytest.mark.parametrize("names", [["mlp"], ["q_proj|v_proj"], [".*q_porj"]])  # no layer, and patterns of whole paths
def test_what_means_no_layer_is_told(micro_solver, names):
    with pytest.raises(ConfigError, match="has no layer"):
        config(micro_solver[0], *names)


def test_a_name_among_others_that_is_not_there_is_warned_of(micro_solver):
    with pytest.warns(UserWarning, match=r"no layer v_porj; perhaps you meant 'v_proj'"):
        assert config(micro_solver[0], "q_proj", "v_porj").target_modules == {"q_proj", "v_porj"}


def test_from_the_command_line(tmp_path, capsys):
    argv = ["train", "--config", "micro-quick", "--condition", "refsol", "--max_steps", "1", "--use_peft"]
    argv += ["--max_completion_length", "16", "--lora_r", "4", "--output_dir", str(tmp_path / "out")]
    assert main([*argv, "--lora_target_modules", "q_porj"]) == 2
    assert "perhaps you meant 'q_proj'" in capsys.readouterr().err
    assert main([*argv, "--lora_target_modules", "q_proj"]) == 0
    assert (tmp_path / "out/checkpoint-1/adapter_model.safetensors").exists()
