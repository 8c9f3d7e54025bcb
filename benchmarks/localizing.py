"""Time and peak memory of `stepalign localize`'s scoring, beside bare forward passes of the same sequences.

A Llama with random weights in the shape of SmolLM2-135M (hidden 576, 30 layers, vocabulary 49,152, float32) reads
labelled rollouts of the micro world, each once without a context and once under each of three.

- bare: `model(input_ids)` on each sequence, logits of the response alone (`logits_to_keep`), nothing kept.
- localize: `Scorer.tokenized`, `token_row` and `rows`: prompts, ids, scores, checks, and the rows that are written.

    python -m benchmarks --only localize
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from benchmarks.rows import Row, row_of
from benchmarks.runner import Settings, Side, measure_alternately

PRELOAD = ("stepalign.signal.labelled_scores",)
FULL = {"layers": 30, "hidden": 576, "vocabulary": 49_152, "num_rollouts": 4}
QUICK = {"layers": 2, "hidden": 96, "vocabulary": 8192, "num_rollouts": 2}
BARE, OURS = "bare", "localize"
BOUND = 1.3
FORMATS = ("none", "refsol", "stepalign")


def run_case(name: str, settings: Settings) -> list[Row]:
    """Time, bounded at `BOUND`, and peak memory."""
    sizes = QUICK if settings.quick else FULL
    sides = [Side(way, prepare, {"way": way, **sizes}) for way in (BARE, OURS)]
    measured = measure_alternately(sides, settings)
    inputs = f"{sizes['num_rollouts']} rollouts, {len(FORMATS)} contexts, Llama of SmolLM2-135M's shape"
    bounds = {"time": settings.bound(BOUND), "peak_memory": None}
    return [row_of(name, metric, measured, OURS, BARE, bound, inputs=inputs) for metric, bound in bounds.items()]


def prepare(way: str, layers: int, hidden: int, vocabulary: int, num_rollouts: int) -> Callable[[], None]:
    """The call to measure, after a warm-up on one rollout."""
    from stepalign.micro import SOLVER_DIR, World, split_problems
    from stepalign.micro.rollouts import labelled_rollouts
    from stepalign.models.loading import load_tokenizer

    model, tokenizer = build_model(layers, hidden, vocabulary), load_tokenizer(str(SOLVER_DIR))
    problems = split_problems(World(), {"train": 4 * num_rollouts}, 0)["train"]
    rollouts = [rollout for rollout, _ in labelled_rollouts(problems, seed=1)][:num_rollouts]
    work(way, rollouts[:1], model, tokenizer)
    return partial(work, way, rollouts, model, tokenizer)


def build_model(layers: int, hidden: int, vocabulary: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    heads = {"num_attention_heads": hidden // 64 or 1, "num_key_value_heads": max(1, hidden // 192)}
    sizes = {"hidden_size": hidden, "intermediate_size": hidden * 8 // 3, "num_hidden_layers": layers}
    return LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, **sizes, **heads, tie_word_embeddings=True)).eval()


@torch.no_grad()
def work(way: str, rollouts: Any, model: Any, tokenizer: Any) -> None:
    from stepalign.feedback.formats import feedback_class
    from stepalign.micro import exact_critique
    from stepalign.signal.labelled_scores import Scorer
    from stepalign.signal.policy import Policy
    from stepalign.signal.preflight_records import key_of

    policy = Policy(model, tokenizer, "bare", batch_size=1)

    def ask(asked: Any) -> Any:
        return [exact_critique(rollout) for rollout in asked]

    made = {name: feedback_class(name)(ask).contexts(rollouts) for name in FORMATS}
    contexts = {name: {key_of(r): c for r, c in zip(rollouts, made[name], strict=True)} for name in FORMATS}
    scorer = Scorer(policy, contexts)
    tokenized = [scorer.tokenized(rollout) for rollout in rollouts]
    if way == OURS:
        assert all(scorer.token_row(r) for r in tokenized) and scorer.rows(tokenized, FORMATS)
        return
    for rollout in tokenized:
        teachers = [policy.teacher_prompt(rollout.problem, contexts[name][key_of(rollout)]) for name in FORMATS]
        for prompt in (policy.student_prompt(rollout.problem), *teachers):
            if prompt is not None:
                ids = torch.tensor([[*prompt, *rollout.token_ids]])
                model(input_ids=ids, use_cache=False, logits_to_keep=len(rollout.token_ids) + 1)
