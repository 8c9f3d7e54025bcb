"""KL(model || base) on the model's own responses."""

import pytest
import torch

from stepalign.evaluation.drift import kl_to_base
from stepalign.evaluation.evaluate import sample_problems
from stepalign.micro import World, make_problems
from stepalign.micro.problems import SOLVER_DIR
from stepalign.models import Sampling, load_model
from stepalign.models.prompts import chat_prompts


def test_it_is_zero_for_the_base_and_the_full_vocabularys_for_another():
    base, tokenizer = load_model(str(SOLVER_DIR))
    moved, _ = load_model(str(SOLVER_DIR))
    with torch.no_grad():
        for parameter in moved.parameters():
            parameter.mul_(1.02)
    problems = make_problems(World(), count=2, seed=5)
    sampling = Sampling(num_samples=1, max_new_tokens=24)
    rollouts = [r for batch in sample_problems(moved, tokenizer, problems, sampling, "bare") for r in batch]
    assert kl_to_base(base, base, tokenizer, rollouts, "bare") == pytest.approx(0, abs=1e-6)

    total, count = 0.0, 0
    for rollout in rollouts:
        (prompt,) = chat_prompts(tokenizer, [rollout.problem.problem], None)
        ids = torch.tensor([[*prompt.ids, *rollout.token_ids]])
        with torch.no_grad():
            mine, its = (
                m(input_ids=ids).logits[0, len(prompt.ids) - 1 : -1].double().log_softmax(-1) for m in (moved, base)
            )
        total += float((mine.exp() * (mine - its)).sum())
        count += len(rollout.token_ids)
    assert kl_to_base(moved, base, tokenizer, rollouts, "bare") == pytest.approx(total / count, rel=1e-3)
    assert kl_to_base(moved, base, tokenizer, [], "bare") is None
