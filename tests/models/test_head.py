import pytest
import torch
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
)

from stepalign.models.head import detached_head, head_of

SIZES = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
}


@pytest.mark.parametrize(
    ("model_type", "config"),
    [
        (LlamaForCausalLM, LlamaConfig(**SIZES)),
        (Gemma2ForCausalLM, Gemma2Config(**SIZES, final_logit_softcapping=5.0)),
        (GraniteForCausalLM, GraniteConfig(**SIZES, logits_scaling=4.0)),
        (CohereForCausalLM, CohereConfig(**SIZES, logit_scale=0.25)),
    ],
)
def test_the_head_gives_the_models_own_logits(model_type, config):
    torch.manual_seed(0)
    model = model_type(config).eval()
    ids = torch.randint(1, 50, (1, 7))
    head = head_of(model)
    with torch.no_grad():
        hidden = model.base_model(input_ids=ids).last_hidden_state
        logits = head.finish_logits_(hidden[0] @ head.weight.T)
        torch.testing.assert_close(logits, model(input_ids=ids).logits[0])


def test_a_detached_head_keeps_the_weights_that_others_replace():
    model = LlamaForCausalLM(LlamaConfig(**SIZES))
    weight, head = model.lm_head.weight.detach().clone(), detached_head(model)
    model.lm_head.weight.data = torch.zeros_like(weight)
    assert torch.equal(head.weight, weight) and not head.weight.requires_grad
    model.requires_grad_(False)
    assert detached_head(model).weight is model.lm_head.weight  # shared with the student: the kernel sees it
