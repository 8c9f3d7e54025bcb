"""A_t against a float64 forward pass of the same model, for several architectures, with and without an adapter."""

import contextlib
import copy

import pytest
import torch
from peft import LoraConfig, PrefixTuningConfig, get_peft_model
from transformers import Gemma2Config, Gemma2ForCausalLM, LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

from stepalign.core.errors import ModelError
from stepalign.models.scoring import Scorable, check_scoring, score_response, score_responses

SIZES = {
    "vocab_size": 211,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
    "initializer_range": 0.3,  # wide: next-token distributions far from uniform
}
# a window shorter than the sequences, and caps that bite
GEMMA = {
    "sliding_window": 8,
    "final_logit_softcapping": 3.0,
    "attn_logit_softcapping": 2.0,
    "attn_implementation": "eager",
}
MODELS = {
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SIZES, tie_word_embeddings=True)),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES)),
    "gemma2": lambda: Gemma2ForCausalLM(Gemma2Config(**SIZES, **GEMMA)),
}


def make_model(name, adapter=False):
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    if adapter:
        modules = ["q_proj", "v_proj", "down_proj"]
        model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, lora_dropout=0.5, target_modules=modules)).eval()
        for parameter_name, parameter in model.named_parameters():
            if "lora_B" in parameter_name:
                torch.nn.init.normal_(parameter, std=0.2)
    return model


def make_items(count=3):
    generator = torch.Generator().manual_seed(1)

    def ids(low, high):
        length = int(torch.randint(low, high, (), generator=generator))
        return torch.randint(1, 211, (length,), generator=generator).tolist()

    return [Scorable(ids(5, 15), {"a": ids(20, 40), "b": ids(8, 30)}, ids(4, 25)) for _ in range(count)]


def reference_logp(model, prompt, response):
    """Float64, full logits, one sequence without padding."""
    double = copy.deepcopy(model).double()
    with torch.no_grad():
        logits = double(input_ids=torch.tensor([[*prompt, *response]])).logits[0]
    return logits.log_softmax(-1)[len(prompt) - 1 : -1]


def assert_agrees(scores, student, teacher, response):
    at = torch.tensor(response)[:, None]
    s, t = (x.gather(-1, at)[:, 0] for x in (student, teacher))
    expected = {
        "student_logp": s,
        "teacher_logp": t,
        "advantage": t - s,
        "divergence": (teacher.exp() * (teacher - student)).sum(-1),
    }
    for name, value in expected.items():
        ours = getattr(scores, name)
        assert ours.dtype == torch.float32 and ours.shape == (len(response),)
        assert (ours.double() - value).abs().max() < 1e-4
    assert expected["advantage"].abs().max() > 0.5  # else the comparison would say little


@pytest.mark.parametrize("adapter", [False, True], ids=["base", "lora"])
@pytest.mark.parametrize("name", MODELS)
def test_scores_agree_with_a_float64_forward_pass_padded_or_not(name, adapter):
    model, items = make_model(name, adapter), make_items()
    padded = score_responses(model, items, batch_size=4)
    for item, in_batch in zip(items, padded, strict=True):
        alone = score_response(model, *item)
        student = reference_logp(model, item.student_prompt_ids, item.response_ids)
        for context, prompt in item.teacher_prompt_ids.items():
            teacher = reference_logp(model, prompt, item.response_ids)
            assert_agrees(alone[context], student, teacher, item.response_ids)
            assert_agrees(in_batch[context], student, teacher, item.response_ids)


def test_the_adapter_counts_and_the_teacher_may_go_without_it():
    model, item = make_model("qwen3", adapter=True), make_items(1)[0]
    with model.disable_adapter():
        base_student = reference_logp(model, item.student_prompt_ids, item.response_ids)
        base_teacher = reference_logp(model, item.teacher_prompt_ids["a"], item.response_ids)
    student = reference_logp(model, item.student_prompt_ids, item.response_ids)
    assert (student - base_student).abs().max() > 0.1

    @contextlib.contextmanager
    def initial_policy():
        with model.disable_adapter():
            yield model

    scores = score_response(model, *item, teacher=initial_policy)
    assert_agrees(scores["a"], student, base_teacher, item.response_ids)


def test_a_teacher_that_is_another_model():
    model, other, item = make_model("llama"), make_model("qwen3"), make_items(1)[0]
    scores = score_response(model, *item, teacher=lambda: contextlib.nullcontext(other))
    student = reference_logp(model, item.student_prompt_ids, item.response_ids)
    assert_agrees(
        scores["b"], student, reference_logp(other, item.teacher_prompt_ids["b"], item.response_ids), item.response_ids
    )


def test_the_same_prompt_gives_zero_and_a_small_chunk_the_same_numbers():
    model, item = make_model("gemma2"), make_items(1)[0]
    scores = score_response(
        model, item.student_prompt_ids, {"same": item.student_prompt_ids, **item.teacher_prompt_ids}, item.response_ids
    )
    assert scores["same"].advantage.abs().max() == 0 and scores["same"].divergence.abs().max() < 1e-6
    chunked = score_response(model, *item, chunk_size=2)
    torch.testing.assert_close(chunked["a"].advantage, scores["a"].advantage, rtol=0, atol=1e-5)
    assert list(scores) == ["same", "a", "b"]


def test_the_student_is_forwarded_once_for_all_contexts():
    model, item = make_model("qwen3"), make_items(1)[0]
    calls = []
    model.model.register_forward_pre_hook(lambda *_: calls.append(1))
    score_response(model, *item)
    assert len(calls) == 3


def test_dropout_is_off_and_every_module_is_as_it_was_before():
    model, item = make_model("qwen3", adapter=True), make_items(1)[0]
    expected = score_response(model, *item)["a"].advantage
    model.train()
    model.base_model.model.model.norm.eval()
    before = [module.training for module in model.modules()]
    assert torch.equal(score_response(model, *item)["a"].advantage, expected)
    assert [module.training for module in model.modules()] == before


def test_no_gradient_is_kept_and_no_random_number_is_drawn():
    model, item = make_model("llama"), make_items(1)[0]
    state = torch.random.get_rng_state()
    assert not score_response(model, *item)["a"].student_logp.requires_grad
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_response_of_one_token_and_no_context():
    model, item = make_model("qwen3"), make_items(1)[0]
    assert score_response(model, [3], {"a": [4, 5]}, [7])["a"].advantage.shape == (1,)
    assert score_response(model, item.student_prompt_ids, {}, item.response_ids) == {}


@pytest.mark.parametrize("adapter", [False, True], ids=["base", "lora"])
@pytest.mark.parametrize("name", MODELS)
def test_a_plain_head_passes_the_check(name, adapter):
    check_scoring(make_model(name, adapter), [1, 2, 3, 4, 5, 6])


def test_an_adapter_on_the_head_is_refused():
    config = LoraConfig(r=2, target_modules=["lm_head"], init_lora_weights=False)
    with pytest.raises(ModelError, match="Merge an adapter on the head"):
        check_scoring(get_peft_model(make_model("llama"), config), [1, 2, 3])


def test_logits_treated_in_a_way_of_their_own_are_refused():
    model = make_model("llama")
    model.lm_head.register_forward_hook(lambda module, inputs, output: 2 * output)
    with pytest.raises(ModelError, match="expected a plain head"):
        check_scoring(model, [1, 2, 3])


def test_virtual_tokens_are_refused():
    model = get_peft_model(make_model("llama"), PrefixTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"))
    with pytest.raises(ModelError, match="virtual tokens"):
        score_response(model, [1], {"a": [2]}, [3])
