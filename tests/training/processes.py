"""Trains in as many processes as it is started in: `torchrun ... processes.py DIRECTORY CASE ...`.

The global batch is 8 prompts whatever the number of processes, and decoding is greedy, so that the number makes no
difference. Greedy groups would have no advantage: GRPO's rollouts and grades are made up here, from the prompt and the
rollout's place in its group. So are those of the case `sometimes`.
"""

import hashlib
import os
import random
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

from stepalign.cli import main
from stepalign.core.files import write_jsonl
from stepalign.core.rollout import Grade, Outcome
from stepalign.feedback.formats import register_feedback
from stepalign.feedback.from_references import RefSol
from stepalign.grading import Grader
from stepalign.micro import World, make_problems
from stepalign.training.grpo import GroupTrainer
from stepalign.training.self_distillation import SelfDistillationTrainer

PROMPTS = 8
NUM_PROCESSES = int(os.environ.get("WORLD_SIZE", "1"))
SETTINGS = [
    *("--config", "micro", "--max_steps", "5", "--save_steps", "5", "--micro_num_train", "40", "--probe_steps", "0"),
    *("--per_device_train_batch_size", str(PROMPTS // NUM_PROCESSES), "--top_k", "1", "--max_completion_length", "40"),
    *("--num_generations", "4", "--disable_tqdm", "true"),
]
LORA = ["--use_peft", "--lora_r", "4", "--lora_dropout", "0", "--lora_target_modules", "q_proj", "v_proj"]
FSDP = ["--fsdp", "--fsdp_config", '{"version": 2, "auto_wrap_policy": "TRANSFORMER_BASED_WRAP"}']
CASES = {
    "refsol": ["--condition", "refsol"],
    "stepalign": ["--condition", "stepalign"],
    "grpo": ["--condition", "grpo"],
    # skipped rollouts, a teacher with weights of its own, and validation that ends training after its second value
    "sometimes": ["--condition", "sometimes", "--teacher", "ema", "--teacher_ema_decay", "0.5", "--save_steps", "2",
                  "--num_samples", "2", "--early_stopping_patience", "1", *LORA],
    "lora": ["--condition", "refsol", "--max_steps", "3", *LORA],
    "fsdp": ["--condition", "refsol", "--max_steps", "3", *LORA, *FSDP],
}  # fmt: skip


@register_feedback("sometimes")
class Sometimes(RefSol):
    """No context for about half of the problems, so that processes have different numbers of taught tokens."""

    def contexts(self, rollouts):
        contexts = super().contexts(rollouts)
        return [c if int(r.problem.id[-1]) < 4 else None for r, c in zip(rollouts, contexts, strict=True)]


def made_up_rollouts(trainer, prompt_ids, *_, **__):
    end, seen, responses = trainer.eos_token_ids[0], Counter(), []
    for ids in map(tuple, prompt_ids):
        digest = hashlib.sha256(repr((ids, seen[ids])).encode()).digest()
        seen[ids] += 1
        chance = random.Random(digest)
        responses.append([*chance.choices(range(5, 300), k=chance.randint(4, 20)), end])
    return (responses, None) if isinstance(trainer, GroupTrainer) else responses


def made_up_grade(_, text, answer):
    return Grade(Outcome.CORRECT if sum(text.encode()) % 3 == 0 else Outcome.WRONG)


def allow_fsdp_on_a_cpu():
    """accelerate shards on accelerators alone and would leave plain data parallelism; the rest of it works on a CPU."""
    from accelerate.state import AcceleratorState, DistributedType, PartialState

    prepare = AcceleratorState.__init__

    def init(self, *args, **kwargs):
        if PartialState._shared_state.get("distributed_type") is DistributedType.MULTI_CPU:
            PartialState._shared_state["distributed_type"] = DistributedType.MULTI_XPU
        prepare(self, *args, **kwargs)

    AcceleratorState.__init__ = init


def train(case: str, directory: Path) -> None:
    settings = [*SETTINGS, *CASES[case], "--output_dir", str(directory / case)]
    if case == "sometimes":
        problems = directory / f"validation-{os.environ.get('RANK', '0')}.jsonl"
        write_jsonl(problems, (p.to_json() for p in make_problems(World(), 2, seed=77)))
        settings += ["--validation_problems", str(problems)]
    if case == "fsdp":
        allow_fsdp_on_a_cpu()
    with ExitStack() as patches:
        if case in ("grpo", "sometimes"):
            for trainer in (GroupTrainer, SelfDistillationTrainer):
                patches.enter_context(patch.object(trainer, "_generate_single_turn", made_up_rollouts))
        if case == "grpo":
            patches.enter_context(patch.object(Grader, "grade", made_up_grade))
        code = main(["train", *settings])
    if code:
        sys.exit(code)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        train(name, Path(sys.argv[1]))
