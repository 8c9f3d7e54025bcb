"""The seconds of a part of a comparison, in the process of one side of `benchmarks.compare_speed`.

It runs under the package of that side, which may be older than this file.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from itertools import pairwise
from typing import Any

PARTS = ("grpo", "refsol", "stepalign", "evaluation")
CLOCKS = {"time_s": time.perf_counter, "cpu_s": time.process_time}
Laps = dict[str, list[float]]


def measure_steps(condition: str, num_steps: int) -> Laps:
    """Seconds of each training step after the first."""
    from stepalign import train
    from stepalign.training.callbacks import RunRecorder

    marks: list[dict[str, float]] = []
    on_log = RunRecorder.on_log

    def mark(self: Any, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            marks.append({name: clock() for name, clock in CLOCKS.items()})
        on_log(self, args, state, control, logs=logs, **kwargs)

    RunRecorder.on_log = mark
    with tempfile.TemporaryDirectory() as directory:
        train(
            config="micro",
            condition=condition,
            output_dir=directory,
            max_steps=num_steps + 1,
            save_strategy="no",
            disable_tqdm=True,
        )
    return {name: [b[name] - a[name] for a, b in pairwise(marks)] for name in CLOCKS}


def measure_evaluation() -> Laps:
    """Seconds of one evaluation of the shipped solver, as `compare` does it; loading the model is part of it."""
    from stepalign.evaluation.checkpoints import Evaluator
    from stepalign.grading import Grader
    from stepalign.micro import SOLVER_DIR, World, split_problems
    from stepalign.models import Sampling

    splits = split_problems(World(), {"train": 282, "validation": 30, "test": 60}, 0)
    sampling = Sampling(num_samples=12, temperature=1.1, max_new_tokens=160, batch_size=264)
    with Grader() as grader:
        evaluator = Evaluator({name: splits[name] for name in ("validation", "test")}, sampling, grader, "bare")
        before = {name: clock() for name, clock in CLOCKS.items()}
        evaluator.evaluate(str(SOLVER_DIR))
        return {name: [clock() - before[name]] for name, clock in CLOCKS.items()}


def use_generate() -> None:
    """From here on: samples by transformers' `generate`, all rollouts in GRPO's loss, padding in every forward pass."""
    from stepalign.models import sampling
    from stepalign.training.generation import OwnRollouts
    from stepalign.training.grpo import GroupTrainer
    from stepalign.training.length_bucketing import ONE_PASS
    from stepalign.training.self_distillation import SelfDistillationTrainer

    sampling._sample_batch = generate_batch
    OwnRollouts._can_sample_in_process = lambda self: False
    GroupTrainer._is_sum_over_advantages = lambda self, batches: False
    SelfDistillationTrainer._plan_passes = lambda self: (None, ONE_PASS)


def generate_batch(model: Any, prompts: Any, sampling: Any, eos_token_ids: Any, generator: Any) -> list[list[int]]:
    """As `stepalign.models.sampling._sample_batch`, by `generate`."""
    import torch
    from trl.trainer.utils import pad

    rows = [torch.tensor(prompt) for prompt in prompts for _ in range(sampling.num_samples)]
    torch.manual_seed(generator.initial_seed())
    sampled = model.generate(
        input_ids=pad(rows, 0, "left"),
        attention_mask=pad([torch.ones_like(row) for row in rows], 0, "left"),
        do_sample=True,
        temperature=sampling.temperature,
        top_k=0,
        top_p=1.0,
        max_new_tokens=sampling.max_new_tokens,
        eos_token_id=list(eos_token_ids),
        pad_token_id=0,
    )
    responses = sampled[:, max(map(len, rows)) :].tolist()
    ends = [next((i for i, token in enumerate(ids) if token in eos_token_ids), len(ids)) for ids in responses]
    return [ids[: end + 1] for ids, end in zip(responses, ends, strict=True)]


def main(part: str, num_steps: str, *generate: str) -> None:
    if generate:
        use_generate()
    print(json.dumps(measure_evaluation() if part == "evaluation" else measure_steps(part, int(num_steps))))


if __name__ == "__main__":
    main(*sys.argv[1:])
