"""Train the shipped micro models again from nothing: `python -m stepalign.micro.build [solver]`.

A Qwen3 of under a million parameters learns the corpus of `stepalign.micro.corpus` by next-token prediction on the
responses. Two cores take well under an hour. The result loads with plain `AutoModelForCausalLM.from_pretrained(dir)`.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from stepalign.micro.corpus import FAMILY, Example, examples
from stepalign.micro.problems import SOLVER_DIR
from stepalign.micro.tokenizer import train_tokenizer

VOCAB_SIZE = 512
MAX_RESPONSE = 208  # tokens; enumerations are cut here
CHUNK = 4096  # examples sorted by length together
Batch = tuple[torch.Tensor, torch.Tensor]


def build_config(tokenizer: Any) -> Qwen3Config:
    # what evaluate and train take where no flag says otherwise; checkpoints trained from the model keep it
    own: dict[str, Any] = {"stepalign": {"prompt_templates": FAMILY, "max_new_tokens": 160}}
    return Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=1024,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **own,
    )


def encode(tokenizer: Any, chunk: list[Example]) -> list[tuple[list[int], int]]:
    """Token ids of each example and where its response begins."""
    prompts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": e.prompt}], tokenize=False, add_generation_prompt=True
        )
        for e in chunk
    ]
    prompt_ids = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    response_ids = tokenizer([e.response for e in chunk], add_special_tokens=False)["input_ids"]
    encoded: list[tuple[list[int], int]] = []
    for example, prompt, response in zip(chunk, prompt_ids, response_ids, strict=True):
        ending = [tokenizer.eos_token_id] if example.complete else []
        encoded.append((prompt + (response + ending)[:MAX_RESPONSE], len(prompt)))
    return encoded


def batches(tokenizer: Any, seed: int, token_budget: int) -> Iterator[Batch]:
    """Endless (input_ids, labels), each (B, T) with B * T near `token_budget`; labels are -100 off the response."""
    rng = random.Random(f"stepalign micro corpus {seed}")
    while True:
        rows = sorted(encode(tokenizer, list(examples(rng, CHUNK))), key=lambda row: len(row[0]))
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


def train(args: argparse.Namespace) -> None:
    """Train the solver and save model, tokenizer and a record of the training."""
    torch.manual_seed(args.seed)
    rng = random.Random(f"stepalign micro tokenizer {args.seed}")
    texts = [text for e in examples(rng, 4000) for text in ("user\n", e.prompt, "assistant\n", e.response)]
    tokenizer = train_tokenizer(texts, VOCAB_SIZE)
    model = Qwen3ForCausalLM(build_config(tokenizer))
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, betas=(0.9, 0.95), weight_decay=0.01)
    stream = batches(tokenizer, args.seed, args.token_budget)
    started, seen, losses = time.monotonic(), 0, list[float]()
    for step in tqdm(range(args.max_steps), unit="step", desc="micro solver"):
        warm, progress = min(1.0, (step + 1) / 100), step / args.max_steps
        for group in optimizer.param_groups:
            group["lr"] = args.learning_rate * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress)))
        ids, labels = next(stream)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = _loss(model, ids, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seen += ids.numel()
        losses.append(loss.item())
        if (step + 1) % 200 == 0:
            tqdm.write(f"step {step + 1}: loss {sum(losses[-200:]) / 200:.4f}, {seen / 1e6:.1f} M tokens")
            save(model, tokenizer, args, seen, sum(losses[-200:]) / 200, time.monotonic() - started)
    save(model, tokenizer, args, seen, sum(losses[-200:]) / len(losses[-200:]), time.monotonic() - started)


def _loss(model: Qwen3ForCausalLM, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    # Right padding needs no attention mask under a causal one; only response positions reach the head.
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    wanted = labels[:, 1:] != -100
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[wanted]).float(), labels[:, 1:][wanted])


def save(
    model: Qwen3ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    args: argparse.Namespace,
    seen: int,
    loss: float,
    wall_s: float,
) -> None:
    model.generation_config.do_sample = True
    model.save_pretrained(args.output_dir)
    tokenizer.save_pretrained(args.output_dir)
    record = {"seed": args.seed, "steps": args.max_steps, "tokens": seen, "loss": loss, "wall_s": round(wall_s)}
    (Path(args.output_dir) / "training.json").write_text(json.dumps(record, indent=2) + "\n")
    AutoTokenizer.from_pretrained(args.output_dir)  # fails here rather than at the user's


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m stepalign.micro.build",
        description="Train a shipped micro model from nothing.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("model", nargs="?", choices=["solver"], default="solver", help="which model to train")
    parser.add_argument("--output_dir", type=Path, default=SOLVER_DIR, help="where to save it")
    parser.add_argument("--seed", type=int, default=0, help="seed of corpus, initial weights and order")
    parser.add_argument("--max_steps", type=int, default=1800, help="optimizer steps")
    parser.add_argument("--token_budget", type=int, default=8192, help="tokens a step, padding included")
    parser.add_argument("--learning_rate", type=float, default=3e-3, help="peak learning rate of AdamW")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
