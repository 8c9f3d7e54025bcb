import pytest
import torch

from stepalign.core.errors import ConfigError
from stepalign.models.decoding import TransformersDecoder
from stepalign.models.sampling import Sampling, choose, sample_responses

PROMPTS = ["Start with 47. Add 38. Times 6.", "Start with 12. Add 15.", "Start with 90. Minus 19. Add 4. Times 3."]


@pytest.fixture(scope="module")
def prompt_ids(micro_solver):
    return micro_solver.tokenizer.apply_chat_template(
        [[{"role": "user", "content": p}] for p in PROMPTS], add_generation_prompt=True, return_dict=True
    )["input_ids"]


def collect(micro_solver, prompt_ids, sampling, done=()):
    batches = sample_responses(micro_solver.model, prompt_ids, sampling, [micro_solver.tokenizer.eos_token_id], done)
    return {(r.prompt, r.sample): r.token_ids for batch in batches for r in batch}


def test_every_prompt_gets_its_samples_and_they_end_properly(micro_solver, prompt_ids):
    responses = collect(micro_solver, prompt_ids, Sampling(num_samples=4, max_new_tokens=120))
    assert set(responses) == {(p, s) for p in range(3) for s in range(4)}
    eos = micro_solver.tokenizer.eos_token_id
    for ids in responses.values():
        assert eos not in ids[:-1]
        assert ids[-1] == eos or len(ids) == 120


def test_greedy_decoding_is_that_of_transformers(micro_solver, prompt_ids):
    ours = collect(micro_solver, prompt_ids, Sampling(temperature=0, max_new_tokens=60))
    for i, prompt in enumerate(prompt_ids):
        theirs = micro_solver.model.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=60)
        assert ours[i, 0] == theirs[0, len(prompt) :].tolist()


def test_the_result_depends_on_the_arguments_alone(micro_solver, prompt_ids):
    sampling = Sampling(num_samples=3, max_new_tokens=40, batch_size=3, seed=5)
    first = collect(micro_solver, prompt_ids, sampling)
    torch.rand(7)  # the global generator has no say
    assert collect(micro_solver, prompt_ids, sampling) == first
    assert collect(micro_solver, prompt_ids, Sampling(num_samples=3, max_new_tokens=40, batch_size=3, seed=6)) != first


def test_what_is_done_is_skipped_and_the_rest_is_unchanged(micro_solver, prompt_ids):
    sampling = Sampling(num_samples=2, max_new_tokens=40, batch_size=2)
    everything = collect(micro_solver, prompt_ids, sampling)
    rest = collect(micro_solver, prompt_ids, sampling, done={0, 2})
    assert rest == {key: ids for key, ids in everything.items() if key[0] == 1}


def test_top_k_and_top_p_keep_only_likely_tokens():
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).repeat(500, 1)
    generator = torch.Generator().manual_seed(0)
    assert set(choose(logits, Sampling(top_k=2), generator).tolist()) == {0, 1}
    assert set(choose(logits, Sampling(top_p=0.6), generator).tolist()) == {0, 1}
    assert set(choose(logits, Sampling(), generator).tolist()) == {0, 1, 2, 3}


def test_samples_follow_the_models_probabilities():
    probabilities = torch.tensor([0.7, 0.2, 0.1])
    drawn = choose(probabilities.log().repeat(20_000, 1), Sampling(), torch.Generator().manual_seed(1))
    shares = torch.bincount(drawn, minlength=3) / 20_000
    assert torch.allclose(shares, probabilities, atol=0.015)


@pytest.mark.parametrize("bad", [{"num_samples": 0}, {"temperature": -1}, {"top_p": 0}, {"max_new_tokens": 0}])
def test_impossible_settings_are_an_error(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        Sampling(**bad)


def test_a_prompt_given_twice_is_read_once_and_answered_twice(micro_solver, prompt_ids, monkeypatch):
    read = []

    class Reader(TransformersDecoder):
        def prefill(self, input_ids, mask, rows):
            read.append((len(input_ids), rows.tolist()))
            return super().prefill(input_ids, mask, rows)

    monkeypatch.setattr("stepalign.models.sampling.decoder_for", Reader)
    sampling = Sampling(max_new_tokens=20, batch_size=8)
    responses = collect(micro_solver, [prompt_ids[0]] * 3 + [prompt_ids[1]], sampling)
    assert read == [(2, [0, 0, 0, 1])]
    assert len({tuple(responses[i, 0]) for i in range(3)}) > 1
