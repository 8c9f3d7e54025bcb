import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model

from stepalign.models.decoding import GROW_BY, Qwen3Decoder, TransformersDecoder, decoder_for, is_plain_qwen3

LENGTHS, ROWS = [9, 4, 7], [0, 0, 1, 2, 2]  # prompts, and which of them each row of the batch continues


@pytest.fixture
def prompts():
    torch.manual_seed(0)
    width = max(LENGTHS)
    mask = torch.tensor([[0] * (width - n) + [1] * n for n in LENGTHS])
    return torch.randint(3, 400, (len(LENGTHS), width)) * mask, mask


@torch.inference_mode()
def test_the_logits_are_those_of_transformers_at_every_step(micro_solver, prompts):
    ours, theirs = Qwen3Decoder(micro_solver.model), TransformersDecoder(micro_solver.model)
    logits = [decoder.prefill(*prompts, torch.tensor(ROWS)) for decoder in (ours, theirs)]
    for step in range(2 * GROW_BY):  # the cache grows twice
        torch.testing.assert_close(logits[0], logits[1], rtol=0, atol=1e-4)
        if step in (5, GROW_BY + 3):
            kept = torch.arange(1, len(logits[1]))
            logits = [rows[kept] for rows in logits]
            for decoder in (ours, theirs):
                decoder.keep(kept)
        tokens = torch.multinomial(logits[1].softmax(-1), 1)[:, 0]
        logits = [decoder.step(tokens) for decoder in (ours, theirs)]


@torch.inference_mode()
def test_rows_of_one_prompt_go_their_own_ways(micro_solver, prompts):
    """As one pass over the whole sequence sees it, without cache, padding or shared prompt."""
    input_ids, mask = prompts
    decoder = TransformersDecoder(micro_solver.model)
    decoder.prefill(input_ids, mask, torch.tensor(ROWS))
    written = torch.randint(3, 400, (6, len(ROWS)))
    for tokens in written:
        logits = decoder.step(tokens)
    for row, prompt in enumerate(ROWS):
        sequence = torch.cat([input_ids[prompt, -LENGTHS[prompt] :], written[:, row]])
        expected = micro_solver.model(sequence[None]).logits[0, -1]
        torch.testing.assert_close(logits[row], expected, rtol=0, atol=1e-4)


def test_only_a_plain_float32_qwen3_has_its_own_decoder(micro_solver):
    assert isinstance(decoder_for(micro_solver.model), Qwen3Decoder)
    model = copy.deepcopy(micro_solver.model)
    adapted = get_peft_model(copy.deepcopy(model), LoraConfig(target_modules=["q_proj"]))
    assert isinstance(decoder_for(adapted), TransformersDecoder)
    assert not is_plain_qwen3(adapted.get_base_model())  # the adapter is in its layers
    assert not is_plain_qwen3(copy.deepcopy(model).bfloat16())
    hooked = copy.deepcopy(model)
    hooked.model.layers[1].register_forward_hook(lambda module, args, output: output * 2)
    assert not is_plain_qwen3(hooked)
    for name, value in {"_attn_implementation": "eager", "hidden_act": "gelu", "attention_dropout": 0.1}.items():
        other = copy.deepcopy(model)
        setattr(other.config, name, value)
        assert not is_plain_qwen3(other), name
