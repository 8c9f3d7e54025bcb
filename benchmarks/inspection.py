"""Memory and time of `stepalign inspect` on a large vocabulary, beside bare forward passes of the same model.

A Qwen3 with random weights (hidden 256, 4 layers, vocabulary 151,936, float32) reads a response of 2,000 tokens under
one context.

- bare: `model(input_ids)` on the student's and on the teacher's sequence, logits of every token, nothing kept.
- bare, response: the same with logits of the response alone (`logits_to_keep`).
- usual: the usual way to A_t and the divergence: both models' logits of the response, `log_softmax`, gather.
- score: `stepalign.models.scoring.score_response`.
- inspect: all of `inspect_response`: prompts, checks, scores, steps, localization, alignment, and what student and
  teacher would write at each token.
- inspect, no alternatives: the same without the last, with which inspect is compared too.

    python -m benchmarks --only inspect
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from benchmarks.rows import Row, row_of
from benchmarks.runner import Settings, Side, measure_alternately

PRELOAD = ("stepalign.signal.inspect",)
FULL, QUICK = {"vocabulary": 151_936, "num_tokens": 2000}, {"vocabulary": 8192, "num_tokens": 300}
BARE, OTHERS = "bare", ("bare, response", "usual", "score", "inspect", "inspect, no alternatives")
ALTERNATIVES_BOUND = 1.1
STEP = "<step_{}>Next put on 78: 2+8=10 carry 1; 6+7+1=14. We get 140.</step_{}>\n"


def run_case(name: str, settings: Settings) -> list[Row]:
    """Time and peak memory of each way, against bare forward passes."""
    sizes = QUICK if settings.quick else FULL
    sides = [Side(way, prepare, {"way": way, **sizes}) for way in (BARE, *OTHERS)]
    measured = measure_alternately(sides, settings)
    inputs = f"Qwen3, hidden 256, 4 layers, vocabulary {sizes['vocabulary']:,}, {sizes['num_tokens']:,} tokens"
    rows = [
        row_of(name, metric, measured, way, BARE, inputs=inputs) for way in OTHERS for metric in ("time", "peak_memory")
    ]
    *_, whole, without = OTHERS
    return [*rows, row_of(name, "time", measured, whole, without, bound=ALTERNATIVES_BOUND, inputs=inputs)]


def prepare(way: str, vocabulary: int, num_tokens: int) -> Callable[[], None]:
    """The call to measure, after a warm-up on a short response."""
    from stepalign.micro import SOLVER_DIR
    from stepalign.models.loading import load_tokenizer

    model, tokenizer = build_model(vocabulary), load_tokenizer(str(SOLVER_DIR))
    work(way, build_case(100, tokenizer), model, tokenizer)
    return partial(work, way, build_case(num_tokens, tokenizer), model, tokenizer)


def build_model(vocabulary: int) -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 4, "head_dim": 64}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    config = Qwen3Config(
        vocab_size=vocabulary, **sizes, **heads, max_position_embeddings=8192, tie_word_embeddings=True
    )
    return Qwen3ForCausalLM(config).eval()


def build_case(num_tokens: int, tokenizer: Any) -> Any:
    from stepalign.signal.case import Case

    text = "".join(STEP.format(i, i) for i in range(1, num_tokens // 20))
    ids = tuple(tokenizer(text, add_special_tokens=False)["input_ids"][:num_tokens])
    text = tokenizer.decode(ids)
    source = {"first_wrong_step": 2, "first_wrong_step_source": "case file"}
    context = STEP.format(1, 1) + "We get 58."
    return Case("random", "Start with 62. Add 78.", text, {"own": context}, response_token_ids=ids, **source)


@torch.no_grad()
def work(way: str, inspected: Any, model: Any, tokenizer: Any) -> None:
    from stepalign.models.scoring import score_response
    from stepalign.signal.inspect import inspect_response, prepare

    if way.startswith("inspect"):
        inspect_response(inspected, model, tokenizer, num_alternatives=5 if way == "inspect" else 0)
        return
    prepared = prepare(inspected, model, tokenizer)
    prompts, response = [prepared.student.ids, prepared.teachers["own"].ids], list(prepared.response_ids)
    if way == "score":
        score_response(model, prompts[0], {"own": prompts[1]}, response)
        return
    keep = {} if way == BARE else {"logits_to_keep": len(response) + 1}
    kept = []
    for prompt in prompts:
        logits = model(input_ids=torch.tensor([[*prompt, *response]]), use_cache=False, **keep).logits[0]
        if way == "usual":
            kept.append(logits[:-1].log_softmax(-1))
        del logits
    if way == "usual":
        student, teacher = kept
        (teacher - student).gather(-1, torch.tensor(response)[:, None])
        (teacher.exp() * (teacher - student)).sum(-1)
