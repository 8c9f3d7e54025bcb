"""The head read off models of transformers gives their logits."""

import pytest
import reference
import torch
from peft import LoraConfig, get_peft_model
from transformers import CohereConfig, Gemma2Config, GraniteConfig, Qwen3Config
from transformers.models.auto.modeling_auto import AutoModel, AutoModelForCausalLM

from stepalign.core.errors import ConfigError, ModelError, ShapeError
from stepalign.maths.head import Head, head_of

SIZES = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
CONFIGS = [
    Qwen3Config(**SIZES, tie_word_embeddings=True),
    Gemma2Config(**SIZES, final_logit_softcapping=0.5),
    CohereConfig(**SIZES, logit_scale=0.25),
    GraniteConfig(**SIZES, logits_scaling=4.0),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.model_type)
def test_head_of_gives_the_models_logits(config):
    model = AutoModelForCausalLM.from_config(config)
    ids = torch.tensor([[3, 4, 5]])
    hidden = model.get_decoder()(ids).last_hidden_state
    assert torch.allclose(reference.logits(hidden, head_of(model)), model(ids).logits, atol=1e-6)


def test_head_of_a_model_with_an_adapter():
    model = AutoModelForCausalLM.from_config(CONFIGS[0])
    weight = model.get_output_embeddings().weight
    adapted = get_peft_model(model, LoraConfig(target_modules=["q_proj"]))
    assert head_of(adapted).weight is weight


def test_an_adapter_on_the_head_is_an_error():
    model = AutoModelForCausalLM.from_config(CONFIGS[1])
    with pytest.raises(ModelError, match="take it"):
        head_of(get_peft_model(model, LoraConfig(target_modules=["lm_head"])))


def test_a_model_without_a_head_is_an_error():
    with pytest.raises(ModelError, match="no output head"):
        head_of(AutoModel.from_config(CONFIGS[0]))


def test_a_head_that_does_not_fit_together_is_an_error():
    with pytest.raises(ShapeError, match="head weight"):
        Head(torch.zeros(3))
    with pytest.raises(ShapeError, match="head bias"):
        Head(torch.zeros(3, 2), torch.zeros(2))
    with pytest.raises(ConfigError, match="softcap"):
        Head(torch.zeros(3, 2), softcap=0.0)
