from benchmarks.laps import generate_batch

from stepalign.models import sampling
from stepalign.models.sampling import Sampling, sample_responses


def test_both_ways_to_sample_give_the_same_responses(micro_solver, monkeypatch):
    """At a temperature near 0, where nothing is left to chance."""
    prompts = [
        micro_solver.tokenizer(text)["input_ids"] for text in ("Start with 12. Add 7.", "Start with 3. Add 40. Add 5.")
    ]
    ends = [micro_solver.tokenizer.eos_token_id]
    settings = Sampling(num_samples=2, temperature=1e-4, max_new_tokens=24, batch_size=4)

    def responses():
        return sorted(
            response for batch in sample_responses(micro_solver.model, prompts, settings, ends) for response in batch
        )

    ours = responses()
    monkeypatch.setattr(sampling, "_sample_batch", generate_batch)
    assert responses() == ours and len(ours) == 4
