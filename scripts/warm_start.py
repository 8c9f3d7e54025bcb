"""Teach a small model to answer in step tags, with TRL's SFT on reference solutions, before it learns from itself.

    python -m scripts.warm_start --model .models/SmolLM2-135M-Instruct.Q4_1 --problems gsm8k.jsonl \\
        --output_dir runs/gsm8k-smollm2

Leaves OUTPUT_DIR/adapter (LoRA, a few MB) and OUTPUT_DIR/model, the same merged, which every command takes as a model.
Interrupted, the same command goes on from its last checkpoint; where the model is there already, nothing is done.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stepalign.core.prompts import render_prompt
from stepalign.core.trace import parse_trace, render_steps
from stepalign.data.problems import load_problems
from stepalign.models import load_model

TEMPLATES = "steps"
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="directory or hub name of a causal LM with a chat template")
    parser.add_argument("--problems", required=True, help="problems with reference solutions: any file that data reads")
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--skip", type=int, default=2000, help="leave out the first so many, for training and tests")
    parser.add_argument("--max_steps", type=int, default=300)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--learning_rate", type=float, default=5e-4)
    parser.add_argument("--lora_r", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    warm_start(parser.parse_args())


def rows(problems: str, skip: int) -> list[dict[str, list[dict[str, str]]]]:
    """Prompts as the student sees them, and the reference solutions in step tags: TRL's prompt-completion rows.

    Raises:
        SystemExit: no problem has a solution.
    """
    found = [
        {
            "prompt": [{"role": "user", "content": render_prompt(TEMPLATES, "student", problem=problem)}],
            "completion": [{"role": "assistant", "content": render_steps(steps, problem.answer)}],
        }
        for problem in load_problems(problems)[skip:]
        if (steps := [step.text for step in parse_trace(problem.solution or "").steps])
    ]
    if not found:
        raise SystemExit(f"{problems} has no problem with a solution after the first {skip}.")
    return found


def warm_start(asked: argparse.Namespace) -> None:
    """Train, save the adapter, merge it and save the model."""
    target = asked.output_dir / "model"
    if target.exists():
        print(f"{target} is there already.")
        return
    from datasets import Dataset
    from peft import LoraConfig
    from transformers.trainer_utils import get_last_checkpoint
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = load_model(asked.model, dtype="float32")
    work = asked.output_dir / "warm_start"
    args = SFTConfig(
        str(work), max_steps=asked.max_steps, per_device_train_batch_size=asked.batch_size, seed=asked.seed,
        learning_rate=asked.learning_rate, lr_scheduler_type="cosine", warmup_steps=max(1, asked.max_steps // 20),
        save_steps=max(1, asked.max_steps // 6), save_total_limit=1, logging_steps=10, report_to="none", bf16=False,
        max_length=768, gradient_checkpointing=False,
    )  # fmt: skip
    peft = LoraConfig(r=asked.lora_r, lora_alpha=2 * asked.lora_r, target_modules=TARGETS, task_type="CAUSAL_LM")
    data = Dataset.from_list(rows(asked.problems, asked.skip))
    trainer = SFTTrainer(model, args=args, train_dataset=data, processing_class=tokenizer, peft_config=peft)
    trainer.train(resume_from_checkpoint=get_last_checkpoint(str(work)) if work.is_dir() else None)
    trainer.save_model(str(asked.output_dir / "adapter"))
    merged = trainer.model.merge_and_unload()
    merged.save_pretrained(target)
    tokenizer.save_pretrained(target)
    print(target)


if __name__ == "__main__":
    main()
