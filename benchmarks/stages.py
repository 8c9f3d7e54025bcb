"""A clock at the parts of a trainer's steps, each from one synchronization of the GPU to the next.

clock = Clock(on_cuda=True)
clock.watch(trainer)
trainer.train()
clock.steps[1].seconds["generation"]
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, NamedTuple

import torch
from transformers import TrainerCallback

GENERATION, FORWARD, BACKWARD, OPTIMIZER, OTHER = "generation", "forward and loss", "backward", "optimizer", "other"
STAGES = (GENERATION, FORWARD, BACKWARD, OPTIMIZER, OTHER)


class Lengths(NamedTuple):
    """Tokens of each rollout of a step: the student's prompt, the teacher's, and the response."""

    prompts: list[int]
    teacher_prompts: list[int]
    responses: list[int]


@dataclass
class Step:
    """Seconds of each stage, the most bytes that torch had allocated on the GPU in it, and the rollouts' lengths."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict[str, float](float))
    peak_bytes: dict[str, int] = field(default_factory=lambda: defaultdict[str, int](int))
    lengths: Lengths = field(default_factory=lambda: Lengths([], [], []))


class Clock(TrainerCallback):
    """Times the stages of every step; what is in none of them is `OTHER`."""

    def __init__(self, on_cuda: bool):
        self.on_cuda = on_cuda
        self.steps: list[Step] = []

    def watch(self, trainer: Any) -> None:
        """Replace the trainer's methods by timed ones, and count the tokens that its loss is given."""
        loss = self._timed(FORWARD, trainer.compute_loss)

        def compute_loss(model: Any, inputs: dict[str, Any], **kwargs: Any) -> Any:
            for lengths, key in zip(self.steps[-1].lengths, ("prompt", "teacher_prompt", "completion"), strict=True):
                lengths.extend(inputs[f"{key}_mask"].sum(dim=1).tolist())
            return loss(model, inputs, **kwargs)

        trainer.compute_loss = compute_loss
        trainer._generate_single_turn = self._timed(GENERATION, trainer._generate_single_turn)
        trainer.accelerator.backward = self._timed(BACKWARD, trainer.accelerator.backward)
        trainer.add_callback(self)

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.steps.append(Step())
        self.step_began = self._now()

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        self._start()

    def on_optimizer_step(self, *_: Any, **__: Any) -> None:
        self._stop(OPTIMIZER)

    def on_step_end(self, *_: Any, **__: Any) -> None:
        seconds = self.steps[-1].seconds
        seconds[OTHER] = self._now() - self.step_began - sum(seconds.values())

    def _timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def inner(*args: Any, **kwargs: Any) -> Any:
            self._start()
            result = function(*args, **kwargs)
            self._stop(stage)
            return result

        return inner

    def _start(self) -> None:
        if self.on_cuda:
            torch.cuda.reset_peak_memory_stats()
        self.began = self._now()

    def _stop(self, stage: str) -> None:
        step = self.steps[-1]
        step.seconds[stage] += self._now() - self.began
        if self.on_cuda:
            step.peak_bytes[stage] = max(step.peak_bytes[stage], torch.cuda.max_memory_allocated())

    def _now(self) -> float:
        if self.on_cuda:
            torch.cuda.synchronize()
        return time.perf_counter()
