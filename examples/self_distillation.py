"""Self-distillation from a context, the whole method in one file: torch and transformers only.

A model answers a problem (the student's rollout). The same model, as it was before training, also reads a context, here
the reference solution, and says at every token of that rollout what it would have written next (the self-teacher). The
student is trained to say the same without the context: forward KL over the whole vocabulary, on its own rollout.

    python examples/self_distillation.py                       # the micro model, a minute on a CPU
    python examples/self_distillation.py --model Qwen/Qwen3-0.6B --problems problems.jsonl

The micro model lives in a constructed world of column arithmetic; its numbers say nothing about language models at
large.
"""

import argparse
import copy
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parent.parent
MICRO = ROOT / "src" / "stepalign" / "micro" / "shipped" / "solver"


def student_prompt(problem: dict) -> str:
    return problem["problem"]


def teacher_prompt(problem: dict, context: str) -> str:
    return f"{problem['problem']}\n\n{context}\n\nSolve it."


def chat_ids(tokenizer, text: str) -> list[int]:
    """Token ids of one user message, ready for the assistant's answer."""
    messages = [{"role": "user", "content": text}]
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]


def left_pad(rows: list[list[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(ids, mask), both (B, longest), padded on the left."""
    width = max(map(len, rows))
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


@torch.no_grad()
def sample(model, tokenizer, prompts: list[list[int]], temperature: float, max_new_tokens: int) -> list[list[int]]:
    """One rollout a prompt: its token ids, the end-of-sequence token included."""
    ids, mask = left_pad(prompts, tokenizer.pad_token_id)
    full = model.generate(
        input_ids=ids,
        attention_mask=mask,
        do_sample=True,
        temperature=temperature,
        top_k=0,
        max_new_tokens=max_new_tokens,
        pad_token_id=tokenizer.pad_token_id,
    )
    rollouts = []
    for row in full[:, ids.shape[1] :].tolist():
        end = row.index(tokenizer.eos_token_id) + 1 if tokenizer.eos_token_id in row else len(row)
        rollouts.append(row[:end])
    return rollouts


def token_logits(model, prompts: list[list[int]], rollouts: list[list[int]], pad: int) -> torch.Tensor:
    """Logits that predict each rollout token after its prompt: (tokens of all rollouts, V)."""
    ids, mask = left_pad([p + r for p, r in zip(prompts, rollouts, strict=True)], pad)
    logits = model(input_ids=ids, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0)).logits
    # the logits at t predict token t + 1, so a rollout of n tokens is predicted by the n positions before the last
    return torch.cat([row[-len(r) - 1 : -1] for row, r in zip(logits, rollouts, strict=True)])


def distillation_loss(student_logits: torch.Tensor, teacher_logits: torch.Tensor) -> torch.Tensor:
    """Mean over tokens of KL(teacher || student), in nats."""
    student, teacher = student_logits.float().log_softmax(-1), teacher_logits.float().log_softmax(-1)
    return F.kl_div(student, teacher, log_target=True, reduction="batchmean")


def train_step(model, teacher, optimizer, problems, contexts, rollouts, tokenizer, max_grad_norm=1.0) -> float:
    """One optimizer step on given rollouts; returns the loss."""
    pad = tokenizer.pad_token_id
    student_prompts = [chat_ids(tokenizer, student_prompt(p)) for p in problems]
    teacher_prompts = [chat_ids(tokenizer, teacher_prompt(p, c)) for p, c in zip(problems, contexts, strict=True)]
    with torch.no_grad():  # the teacher is not trained
        teacher_logits = token_logits(teacher, teacher_prompts, rollouts, pad)
    loss = distillation_loss(token_logits(model, student_prompts, rollouts, pad), teacher_logits)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(MICRO), help="directory or hub name of an instruct model")
    parser.add_argument("--problems", type=Path, default=ROOT / "examples" / "micro_problems.jsonl")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--learning_rate", type=float, default=1e-4)
    parser.add_argument("--temperature", type=float, default=1.1)
    parser.add_argument("--max_new_tokens", type=int, default=160)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForCausalLM.from_pretrained(args.model)
    teacher = copy.deepcopy(model).eval()  # the initial policy
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, weight_decay=0.0)
    problems = [json.loads(line) for line in args.problems.read_text().splitlines()]
    for step in range(args.steps):
        batch = [problems[(step * args.batch_size + i) % len(problems)] for i in range(args.batch_size)]
        prompts = [chat_ids(tokenizer, student_prompt(p)) for p in batch]
        rollouts = sample(model.eval(), tokenizer, prompts, args.temperature, args.max_new_tokens)
        texts = tokenizer.batch_decode(rollouts, skip_special_tokens=True)
        right = sum(f"<answer>{p['answer']}</answer>" in text for p, text in zip(batch, texts, strict=True))
        contexts = [p["solution"] for p in batch]
        loss = train_step(model.train(), teacher, optimizer, batch, contexts, rollouts, tokenizer)
        print(f"step {step + 1}: loss {loss:.4f} nats, {right} of {len(batch)} rollouts right")


if __name__ == "__main__":
    main()
