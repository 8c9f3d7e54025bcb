"""A whole training step on given rollouts: our trainer beside TRL's SDPOTrainer and SDFTTrainer with full logits.

A step is `training_step` (student's and teacher's forward pass, loss, backward pass) and the optimizer's step, as the
trainers themselves do it; generation, grading and critics are no part of it. All three have the same weights (Qwen3
architecture, random, the vocabulary of Qwen3), the same LoRA adapter moved away from zero, the same prompts, contexts
and rollouts (random token ids of different lengths), AdamW, float32. The teacher is the initial policy, which is the
adapter switched off in all three (`teacher_model_kind="base"` in TRL); the divergence is the forward KL over the full
vocabulary at temperature 1 (`distillation_mode="full_logits"`, `distillation_alpha=0`).

Before anything is timed, loss and gradient of all three must agree to 1e-4. TRL's two trainers average over the tokens
of each rollout and then over rollouts, ours over all tokens; their divisor is the mask's sum, but at least 1, so with
1 / (longest rollout) in place of 1 in their mask their own code divides by the same number for every token. Steps are
timed with the plain masks that each trainer prepares.

On a GPU the timed steps are those of Qwen3-1.7B in bfloat16 (random weights), LoRA 64, with gradient checkpointing; the
trainers must agree in float32 at the sizes of the CPU.

    python -m benchmarks --only train_step
    python -m benchmarks --only train_step --device cuda
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch

from benchmarks.rows import Row, row_of
from benchmarks.runner import Measurement, MeasurementError, Settings, Side, measure, measure_alternately, show
from benchmarks.sizes import QUICK, QWEN3_1_7B, Sizes

PRELOAD = ("benchmarks.trainers",)
OURS = "SelfDistillationTrainer"
TIME_BOUND, MEMORY_BOUND = 0.6, 0.35
TOLERANCE = 1e-4
LOGIT_COPIES = 8  # how many (B, T, V) tensors TRL's full-logit loss holds at its peak, and one to be safe


def run_case(name: str, settings: Settings) -> list[Row]:
    """Time and peak memory against both trainers, and with gradient checkpointing against SDPO."""
    on_cpu = settings.device == "cpu"
    checked = replace(QUICK if settings.quick else Sizes(), device=settings.device)
    sizes = checked if settings.quick or on_cpu else replace(QWEN3_1_7B, device=settings.device)
    agreement = check_agreement(checked, settings)
    inputs = (
        f"Qwen3, hidden {sizes.hidden}, {sizes.num_layers} layers, vocabulary {sizes.vocabulary:,}, LoRA, "
        f"{sizes.dtype}; {sizes.batch_size} rollouts of {sizes.shortest} to {sizes.longest} tokens, contexts of about "
        f"{sizes.context:,}"
    )
    rows: list[Row] = []
    for checkpointing in (False, True) if on_cpu else (True,):
        baselines = ["trl SDPOTrainer"] if checkpointing else ["trl SDPOTrainer", "trl SDFTTrainer"]
        measured = measure_steps([OURS, *baselines], sizes, settings, checkpointing)
        for baseline in baselines:
            for metric, bound in (("time", TIME_BOUND), ("peak_memory", MEMORY_BOUND)):
                subject, other = (_label(side, checkpointing) for side in (OURS, baseline))
                limit = None if checkpointing or "SDFT" in baseline else settings.bound(bound)  # of a CPU
                rows.append(row_of(name, metric, measured, subject, other, limit, inputs=inputs, agreement=agreement))
    return rows


def measure_steps(
    trainers: list[str], sizes: Sizes, settings: Settings, checkpointing: bool = False
) -> dict[str, list[Measurement]]:
    sides = [
        Side(
            _label(trainer, checkpointing),
            prepare_step,
            {"trainer": trainer, "sizes": sizes, "checkpointing": checkpointing},
            memory=_memory(trainer, sizes),
        )
        for trainer in trainers
    ]
    return measure_alternately(sides, settings)


def check_agreement(sizes: Sizes, settings: Settings) -> dict[str, float]:
    """Largest relative difference of loss and of gradient between our trainer and TRL's.

    Raises:
        MeasurementError: above the tolerance: the trainers do not compute the same thing.
    """
    trainers = (OURS, "trl SDPOTrainer", "trl SDFTTrainer")
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as directory:
        for trainer in trainers:
            path = f"{directory}/{trainer}.pt"
            side = Side(trainer, prepare_loss, {"trainer": trainer, "sizes": sizes}, partial(_save, path=path))
            measure(Side(**{**vars(side), "memory": _memory(trainer, sizes)}), settings)
            results[trainer] = torch.load(path)
    differences = [_difference(results[OURS], results[trainer]) for trainer in trainers[1:]]
    largest = {key: max(d[key] for d in differences) for key in ("loss", "gradient")}
    show(f"loss and gradient agree to {largest['loss']:.0e} and {largest['gradient']:.0e}")
    if max(largest.values()) > TOLERANCE:
        raise MeasurementError(f"the trainers do not agree to {TOLERANCE:.0e}: {largest}.")
    return largest


def prepare_step(trainer: str, sizes: Sizes, checkpointing: bool = False) -> Callable[[], Any]:
    """One optimizer step on the batch, after a warm-up step on two short rollouts; on a GPU on the batch itself, whose
    first step also allocates."""
    from benchmarks.trainers import make_batch, make_trainer

    made = make_trainer(trainer, sizes, checkpointing)
    small = Sizes(**{**asdict(sizes), "batch_size": 2, "longest": sizes.shortest, "context": sizes.shortest})
    batch = make_batch(trainer, sizes)

    def step(inputs: dict[str, Any]) -> None:
        made.training_step(made.model, inputs, None)
        made.optimizer.step()
        made.optimizer.zero_grad()

    step(make_batch(trainer, small) if made.accelerator.device.type == "cpu" else batch)
    return partial(step, batch)


def prepare_loss(trainer: str, sizes: Sizes) -> Callable[[], dict[str, torch.Tensor]]:
    """Loss and gradient of the batch, under the mean over all padded positions."""
    from benchmarks.trainers import make_batch, make_trainer

    made = make_trainer(trainer, sizes, checkpointing=False)
    batch = make_batch(trainer, sizes, same_normalization=True)

    def loss_and_gradient() -> dict[str, torch.Tensor]:
        loss = made.training_step(made.model, batch, None)
        gradients = [p.grad.flatten() for p in made.model.parameters() if p.grad is not None]
        return {"loss": loss, "gradient": torch.cat(gradients)}

    return loss_and_gradient


def _save(result: dict[str, torch.Tensor], path: str) -> dict[str, Any]:
    torch.save(result, path)
    return {}


def _difference(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, float]:
    return {key: ((ours[key] - theirs[key]).norm() / theirs[key].norm()).item() for key in ("loss", "gradient")}


def _label(trainer: str, checkpointing: bool) -> str:
    return f"{trainer}, gradient checkpointing" if checkpointing else trainer


def _memory(trainer: str, sizes: Sizes) -> float:
    """Of the machine's memory; what a GPU lacks, CUDA says."""
    return 0 if trainer == OURS or sizes.device != "cpu" else LOGIT_COPIES * sizes.logit_bytes
