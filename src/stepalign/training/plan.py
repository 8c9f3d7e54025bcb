"""The plan of a training run: what it will do and, roughly, what that takes. Nothing is loaded, nothing is asked.

    >>> plan = plan_run(Workload(num_steps=70, prompts_per_step=32, max_completion_length=2048, prompt_length=150))
    >>> plan.num_rollouts, plan.max_generated_tokens, plan.flops
    (2240, 4587520, None)

Counts are exact, or bounds where they are called so. Compute, time and cost are estimates: every response is taken to
be as long as the limit allows, so most runs take less; speeds are typical shares of a machine's own, so a factor of
three either way is no surprise.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

# Shares of the speed of a large matrix product that training and sampling typically reach. Sampling reads every weight
# for each token, which holds a GPU back more than a CPU.
TRAINING_EFFICIENCY = 0.3
SAMPLING_EFFICIENCY = {"cpu": 0.1, "gpu": 0.03}


@dataclass(frozen=True)
class Workload:
    """What a run does. Lengths are in tokens.

    `rollouts_per_prompt` is the group's size for GRPO, 1 else; `teacher_prompt_length` is 0 where there is no teacher;
    `lora`: only an adapter is trained; `checkpointing`: activations are computed again in the backward pass.
    """

    num_steps: int
    prompts_per_step: int
    max_completion_length: int
    prompt_length: float
    rollouts_per_prompt: int = 1
    teacher_prompt_length: float = 0.0
    asks_critic: bool = False
    lora: bool = False
    checkpointing: bool = False


@dataclass(frozen=True)
class Plan:
    """`max_` marks bounds. FLOPs are None where the model's size is not known."""

    num_rollouts: int
    max_generated_tokens: int
    num_critic_calls: int
    sampling_flops: float | None
    training_flops: float | None

    @property
    def flops(self) -> float | None:
        """Of sampling and training together."""
        if self.sampling_flops is None or self.training_flops is None:
            return None
        return self.sampling_flops + self.training_flops

    def seconds(self, flops_per_s: float, kind: str = "gpu") -> float | None:
        """Time on devices of a kind, "gpu" or "cpu", that together multiply matrices at this speed."""
        if self.sampling_flops is None or self.training_flops is None:
            return None
        slow, fast = SAMPLING_EFFICIENCY[kind] * flops_per_s, TRAINING_EFFICIENCY * flops_per_s
        return self.sampling_flops / slow + self.training_flops / fast


def plan_run(work: Workload, num_parameters: int | None = None) -> Plan:
    """Counts and estimated floating-point operations of a run.

    With N parameters (all but the input embedding), prompts of P tokens, teacher prompts of Q, and responses of C, the
    limit, a rollout takes

        sampling    2 N (P + C)
        training    student forward 2 N (P + C); backward 4 N (P + C), or 2 N (P + C) with LoRA, where frozen weights
                    need no gradient; 2 N (P + C) more with checkpointing; teacher forward 2 N (Q + C), if there is one

    Attention's own products are left out: for responses of a few thousand tokens they are the smaller part. Of a
    mixture of experts all experts are counted, which is too many.
    """
    rollouts = work.num_steps * work.prompts_per_step * work.rollouts_per_prompt
    flops: tuple[float, float] | None = None
    if num_parameters is not None:
        student = work.prompt_length + work.max_completion_length
        passes = 2 + (2 if work.lora else 4) + (2 if work.checkpointing else 0)
        teacher = 2 * (work.teacher_prompt_length + work.max_completion_length) if work.teacher_prompt_length else 0
        per_rollout = num_parameters * (passes * student + teacher)
        flops = (rollouts * 2.0 * num_parameters * student, rollouts * float(per_rollout))
    return Plan(
        num_rollouts=rollouts,
        max_generated_tokens=rollouts * work.max_completion_length,
        num_critic_calls=rollouts if work.asks_critic else 0,
        sampling_flops=None if flops is None else flops[0],
        training_flops=None if flops is None else flops[1],
    )


def count_parameters(config: PreTrainedConfig) -> int:
    """Parameters of a causal LM by its config, the input embedding left out unless it is the head too; no weights."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config)
    embedding = model.get_input_embeddings().weight
    tied = embedding is model.get_output_embeddings().weight
    total = sum(parameter.numel() for parameter in model.parameters())
    return total if tied else total - embedding.numel()


def matrix_speed(seconds: float = 0.3) -> float:
    """Floating-point operations a second of this machine's best device in a large matrix product, measured shortly."""
    import torch

    from stepalign.models.loading import best_device

    device = best_device()
    size, dtype = (8192, torch.bfloat16) if device.type == "cuda" else (1024, torch.float32)
    a, b = (torch.ones(size, size, dtype=dtype, device=device) for _ in range(2))
    float((a @ b)[0, 0])  # the first one loads kernels
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        float((a @ b)[0, 0])  # waits for the result
        count += 1
    return count * 2 * size**3 / (time.perf_counter() - began)
