"""The loop that trains the shipped micro models: next-token prediction on responses, in bf16 autocast, on a CPU.

stream = batches(tokenizer, make_examples, rng, token_budget=8192, max_response=208)
fit(model, tokenizer, stream, Plan("solver", Path("my-solver"), seed=0, max_steps=1800, learning_rate=3e-3))
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen3ForCausalLM

from scripts.micro_models.corpus import Example
from stepalign.models.prompts import chat_prompts

CHUNK = 4096  # examples sorted by length together
SAVE_EVERY = 200
Batch = tuple[torch.Tensor, torch.Tensor]
MakeExamples = Callable[[random.Random, int], Iterator[Example]]


@dataclass(frozen=True)
class Plan:
    """How long to train, how fast, and where the result goes; `record` is added to its training.json."""

    name: str
    output_dir: Path
    seed: int
    max_steps: int
    learning_rate: float
    record: dict[str, Any] = field(default_factory=dict[str, Any])


def encode(tokenizer: Any, chunk: list[Example], max_response: int) -> list[tuple[list[int], int]]:
    """Token ids of each example and where its response begins; responses are cut at `max_response` tokens."""
    prompt_ids = [prompt.ids for prompt in chat_prompts(tokenizer, [example.prompt for example in chunk])]
    response_ids = tokenizer([e.response for e in chunk], add_special_tokens=False)["input_ids"]
    encoded: list[tuple[list[int], int]] = []
    for example, prompt, response in zip(chunk, prompt_ids, response_ids, strict=True):
        ending = [tokenizer.eos_token_id] if example.complete else []
        encoded.append((prompt + (response + ending)[:max_response], len(prompt)))
    return encoded


def batches(
    tokenizer: Any, make_examples: MakeExamples, rng: random.Random, token_budget: int, max_response: int
) -> Iterator[Batch]:
    """Endless (input_ids, labels), each (B, T) with B * T near `token_budget`; labels are -100 off the response."""
    while True:
        rows = sorted(encode(tokenizer, list(make_examples(rng, CHUNK)), max_response), key=lambda row: len(row[0]))
        groups: list[list[tuple[list[int], int]]] = [[]]
        for row in rows:
            if (len(groups[-1]) + 1) * len(row[0]) > token_budget:
                groups.append([])
            groups[-1].append(row)
        rng.shuffle(groups)
        for group in filter(None, groups):
            width = max(len(ids) for ids, _ in group)
            ids = torch.full((len(group), width), tokenizer.pad_token_id)
            labels = torch.full((len(group), width), -100)
            for i, (row, start) in enumerate(group):
                ids[i, : len(row)] = torch.tensor(row)
                labels[i, start : len(row)] = ids[i, start : len(row)]
            yield ids, labels


def fit(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, stream: Iterator[Batch], plan: Plan) -> None:
    """Train with AdamW, a warm-up of 100 steps and a cosine down to 5 %; save model, tokenizer and a record."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=plan.learning_rate, betas=(0.9, 0.95), weight_decay=0.01)
    started, seen, losses = time.monotonic(), 0, list[float]()
    for step in tqdm(range(plan.max_steps), unit="step", desc=f"micro {plan.name}"):
        warm, progress = min(1.0, (step + 1) / 100), step / plan.max_steps
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress)))
        ids, labels = next(stream)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = _loss(model, ids, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seen += ids.numel()
        losses.append(loss.item())
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == plan.max_steps:
            recent = losses[-SAVE_EVERY:]
            mean = sum(recent) / len(recent)
            tqdm.write(f"step {step + 1}: loss {mean:.4f}, {seen / 1e6:.1f} M tokens")
            _save(model, tokenizer, plan, {"tokens": seen, "loss": mean, "wall_s": round(time.monotonic() - started)})


def _loss(model: Qwen3ForCausalLM, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    # Right padding needs no attention mask under a causal one; only response positions reach the head.
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    wanted = labels[:, 1:] != -100
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[wanted]).float(), labels[:, 1:][wanted])


def _save(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, plan: Plan, progress: dict[str, float | int]
) -> None:
    # without do_sample, `transformers serve` would ignore a request's temperature
    model.generation_config.do_sample = True
    model.save_pretrained(plan.output_dir)
    tokenizer.save_pretrained(plan.output_dir)
    record = {"seed": plan.seed, "steps": plan.max_steps, **progress, **plan.record}
    (plan.output_dir / "training.json").write_text(json.dumps(record, indent=2) + "\n")
    AutoTokenizer.from_pretrained(plan.output_dir)  # fails here rather than at the user's
