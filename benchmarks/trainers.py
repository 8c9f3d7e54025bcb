"""The three trainers of `benchmarks.train_step` on the same random model, and the batch in the form each prepares.

Importing this imports TRL with all that it needs.
"""

from __future__ import annotations

import tempfile
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, Qwen3Config
from trl.experimental.sdft import SDFTConfig, SDFTTrainer
from trl.experimental.sdpo import SDPOConfig, SDPOTrainer
from trl.trainer.utils import pad

from benchmarks.sizes import Sizes
from stepalign.core.problem import Problem
from stepalign.feedback.from_references import RefSol
from stepalign.micro import SOLVER_DIR
from stepalign.models.loading import load_tokenizer
from stepalign.settings.trainer import SelfDistillationConfig
from stepalign.training.self_distillation import SelfDistillationTrainer

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def make_model(sizes: Sizes) -> Any:
    """A random Qwen3 with a LoRA adapter that changes its predictions."""
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=sizes.vocabulary,
        hidden_size=sizes.hidden,
        intermediate_size=3 * sizes.hidden,
        num_hidden_layers=sizes.num_layers,
        num_attention_heads=sizes.hidden // sizes.head_dim,
        num_key_value_heads=max(1, sizes.hidden // (2 * sizes.head_dim)),
        head_dim=sizes.head_dim,
        tie_word_embeddings=True,
        initializer_range=0.1,  # so that predictions are not almost uniform, and divergences not almost 0
        pad_token_id=0,
    )
    lora = LoraConfig(r=sizes.lora_r, lora_alpha=2 * sizes.lora_r, target_modules=PROJECTIONS, task_type="CAUSAL_LM")
    with torch.device(sizes.device):
        model = get_peft_model(AutoModelForCausalLM.from_config(config, dtype=getattr(torch, sizes.dtype)), lora)
    generator = torch.Generator(sizes.device).manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(0, 0.02, generator=generator)
    return model


def make_trainer(name: str, sizes: Sizes, checkpointing: bool) -> Any:
    """A trainer ready for `training_step` on a batch of `make_batch`, with its optimizer."""
    settings: dict[str, Any] = {
        "output_dir": tempfile.gettempdir(),  # nothing is written there
        "per_device_train_batch_size": sizes.batch_size,
        "gradient_checkpointing": checkpointing,
        "learning_rate": 1e-5,
        "temperature": 1.0,
        "use_cpu": sizes.device == "cpu",
        "bf16": sizes.dtype == "bfloat16",
        "report_to": "none",
    }
    model, tokenizer = make_model(sizes), load_tokenizer(str(SOLVER_DIR))
    if name == "SelfDistillationTrainer":
        problem = Problem("p", "1 + 1", "2", solution="2")
        args = SelfDistillationConfig(**settings)
        trainer: Any = SelfDistillationTrainer(
            model, feedback=RefSol(), problems=[problem], args=args, processing_class=tokenizer
        )
    else:
        settings |= {
            "teacher_model_kind": "base",
            "distillation_mode": "full_logits",
            "distillation_topk": None,
            "distillation_alpha": 0.0,
            "num_generations": 1,
        }
        dataset = Dataset.from_list([{"prompt": "1 + 1", "privileged_context": "2"}])
        shared: dict[str, Any] = {"model": model, "train_dataset": dataset, "processing_class": tokenizer}
        if name == "trl SDPOTrainer":
            trainer = SDPOTrainer(args=SDPOConfig(**settings), reward_funcs=lambda **_: [0.0], **shared)
        else:
            trainer = SDFTTrainer(args=SDFTConfig(**settings), **shared)
    trainer._prepare_inputs = lambda batch: batch  # the batch is prepared, rollouts and all
    trainer.current_gradient_accumulation_steps = 1
    trainer.create_optimizer()
    trainer.model = trainer.accelerator.prepare_model(trainer.model)  # as train() does: autocast, where there is any
    return trainer


def make_rows(sizes: Sizes) -> dict[str, list[torch.Tensor]]:
    """Token ids of prompts, teacher prompts and rollouts, in random order of lengths."""
    generator = torch.Generator().manual_seed(2)

    def ids(lengths: torch.Tensor) -> list[torch.Tensor]:
        return [torch.randint(1, sizes.vocabulary, (int(n),), generator=generator) for n in lengths]

    n = sizes.batch_size
    rollouts = torch.linspace(sizes.shortest, sizes.longest, n).long()[torch.randperm(n, generator=generator)]
    prompts, contexts = (
        (size * torch.empty(n).uniform_(0.75, 1.25, generator=generator)).long()
        for size in (sizes.prompt, sizes.context)
    )
    return {"prompt": ids(prompts), "teacher_prompt": ids(prompts + contexts), "completion": ids(rollouts)}


def make_batch(name: str, sizes: Sizes, same_normalization: bool = False) -> dict[str, Any]:
    """The batch as the trainer's own code would have prepared it.

    With `same_normalization` the loss is divided by rows x longest rollout in all of them.
    """
    batch: dict[str, Any] = {}
    for key, rows in make_rows(sizes).items():
        side = "right" if key == "completion" else "left"
        batch[f"{key}_ids"] = pad(rows, 0, side)
        batch[f"{key}_mask"] = pad([torch.ones_like(row) for row in rows], 0, side)
    batch = {key: value.to(sizes.device) for key, value in batch.items()}
    mask = batch["completion_mask"]
    if name == "SelfDistillationTrainer":
        batch["loss_mask"] = mask.clone()
        batch["num_items_in_batch"] = mask.new_tensor(mask.numel()) if same_normalization else mask.sum()
        return batch
    teacher_ids, teacher_mask = batch.pop("teacher_prompt_ids"), batch.pop("teacher_prompt_mask")
    batch["teacher_input_ids"] = torch.cat([teacher_ids, batch["completion_ids"]], dim=1)
    batch["teacher_attention_mask"] = torch.cat([teacher_mask, mask], dim=1)
    if same_normalization:
        batch["completion_mask"] = mask / mask.shape[1]
    if name == "trl SDPOTrainer":
        batch["self_distillation_mask"] = mask.new_ones(len(mask), dtype=torch.float32)
    return batch
