"""Micro-batches accumulate to one batch: the loss and the gradient of 2 x 16 are those of 1 x 32."""

import copy

import pytest
import torch
from peft import LoraConfig
from transformers import TrainerCallback

from stepalign.feedback.from_references import RefSol
from stepalign.micro import World, make_problems
from stepalign.settings.trainer import SelfDistillationConfig
from stepalign.training.self_distillation import SelfDistillationTrainer

PROBLEMS = make_problems(World(), 32, seed=6)
LORA = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"], task_type="CAUSAL_LM")


class ForNine(RefSol):
    """Contexts for nine rollouts only, so that the micro-batches have different numbers of tokens with a loss."""

    def contexts(self, rollouts):
        return [context if i < 9 else None for i, context in enumerate(super().contexts(rollouts))]


class Gradients(TrainerCallback):
    """What the optimizer gets at each step."""

    def __init__(self):
        self.steps = []

    def on_pre_optimizer_step(self, args, state, control, model=None, **_):
        self.steps.append({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})


def first_step(micro_solver, directory, lora, size, accumulation, checkpointing):
    args = SelfDistillationConfig(
        str(directory),
        per_device_train_batch_size=size,
        gradient_accumulation_steps=accumulation,
        gradient_checkpointing=checkpointing,
        top_k=1,  # greedy: the same rollouts whatever the batch
        max_completion_length=24,
        max_steps=1,
        max_grad_norm=0.0,  # no clipping
        save_strategy="no",
        disable_tqdm=True,
        seed=3,
    )
    torch.manual_seed(0)  # of the adapter
    gradients = Gradients()
    trainer = SelfDistillationTrainer(
        copy.deepcopy(micro_solver.model),
        feedback=ForNine(),
        problems=PROBLEMS,
        args=args,
        prompt_templates="bare",
        processing_class=micro_solver.tokenizer,
        peft_config=LORA if lora else None,
        callbacks=[gradients],
    )
    trainer.train()
    (gradient,) = gradients.steps
    return trainer.state.log_history[0]["loss"], gradient


@pytest.mark.parametrize("lora", [True, False], ids=["lora", "full"])
def test_two_micro_batches_of_16_are_one_batch_of_32(micro_solver, tmp_path, lora):
    loss, gradient = first_step(micro_solver, tmp_path / "one", lora, 32, 1, checkpointing=False)
    norm = sum(g.double().square().sum() for g in gradient.values()) ** 0.5
    assert loss > 0.01 and norm > 1e-3
    for checkpointing in (False, True):
        other_loss, other = first_step(micro_solver, tmp_path / f"two {checkpointing}", lora, 16, 2, checkpointing)
        assert other_loss == pytest.approx(loss, rel=1e-5)
        assert gradient.keys() == other.keys()
        error = sum((g.double() - other[name].double()).square().sum() for name, g in gradient.items()) ** 0.5
        assert (error / norm).item() < 1e-5
