"""How far training has taken a model from where it began, on prompts that it was not trained on.

>>> from stepalign.evaluation.evaluate import sample_problems
>>> from stepalign.models.sampling import Sampling
>>> sampling = Sampling(num_samples=1, max_new_tokens=32)
>>> rollouts = [r for batch in sample_problems(model, tokenizer, problems, sampling, "bare") for r in batch]
>>> kl_to_base(model, model, tokenizer, rollouts, "bare")
0.0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from transformers import PreTrainedModel

from stepalign.core.prompts import render_prompt
from stepalign.core.rollout import Rollout
from stepalign.core.tokenizer import Tokenizer
from stepalign.models.prompts import chat_prompts
from stepalign.models.scoring import Scorable, score_responses


def kl_to_base(
    model: PreTrainedModel,
    base: PreTrainedModel,
    tokenizer: Tokenizer,
    rollouts: Sequence[Rollout],
    prompt_templates: str = "steps",
    chat_template_kwargs: Mapping[str, object] | None = None,
) -> float | None:
    """KL(model || base) a token in nats, over the full vocabulary, mean over all tokens of the model's own responses.

    Args:
        model: which the rollouts are of, with an adapter or none.
        base: as it was before training; another object than `model`, unless both are the same.
        rollouts: with token ids; sampled at whatever temperature, compared at 1.
    Returns:
        None where no rollout has tokens.
    Raises:
        ModelError: one of the models cannot be scored.
    """
    sampled = [rollout for rollout in rollouts if rollout.token_ids]
    texts = [render_prompt(prompt_templates, "student", problem=rollout.problem) for rollout in sampled]
    kwargs: dict[str, Any] = dict(chat_template_kwargs or {})
    prompts = [prompt.ids for prompt in chat_prompts(tokenizer, texts, kwargs)] if texts else []
    items = [Scorable(ids, {"base": ids}, r.token_ids) for ids, r in zip(prompts, sampled, strict=True)]
    scores = score_responses(base, items, teacher=lambda: nullcontext(model))
    total = sum(float(of_base["base"].divergence.sum()) for of_base in scores)
    num_tokens = sum(len(rollout.token_ids) for rollout in sampled)
    return max(0.0, total / num_tokens) if num_tokens else None
