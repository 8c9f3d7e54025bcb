"""Every name of TRL's and transformers' trainers that training is built on: what a new version of them may break.

Some would break in silence: where TRL no longer calls a method that we override, its own way is taken instead of ours.
So each trainer checks its hooks when it is made, and `tests/contract/test_trl.py` checks all of them, and that our
source uses no other.

    >>> check_hooks(trainer)        # at the end of a trainer's __init__
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Literal, NamedTuple

from transformers import Trainer

from stepalign.core.errors import ConfigError

Kind = Literal["overridden", "read", "imported"]
DISTILLATION, GRPO, ANY = ("DistillationTrainer",), ("GRPOTrainer",), ("Trainer",)
BOTH = (*DISTILLATION, *GRPO)
SAMPLER = ("RepeatSampler",)


class Hook(NamedTuple):
    """A name, and the classes that define it, or the module it is imported from.

    `overridden`: a method of a class, which ours stands in for. `read`: a method that is called, or an attribute that
    is read or set; it is there once an object is made. `imported`: from a module that is not public.
    """

    owners: tuple[str, ...]
    name: str
    kind: Kind
    why: str

    def is_in(self, owner: type, made: object) -> bool:
        """Whether the class still has it; `made` is one of its objects."""
        return self.name in vars(owner) if self.kind == "overridden" else hasattr(made, self.name)


HOOKS = (
    Hook(DISTILLATION, "_generate_and_score_completions", "overridden", "adds contexts, teacher prompts and loss mask"),
    Hook(DISTILLATION, "_compute_loss", "overridden", "student and teacher each on their own prompt, our kernel"),
    Hook(DISTILLATION, "compute_loss", "overridden", "autocast around the detour to the backbone; metrics after it"),
    Hook(DISTILLATION, "_save_checkpoint", "overridden", "the teacher's average goes into the checkpoint"),
    Hook(ANY, "_load_from_checkpoint", "overridden", "the teacher's average comes back"),
    Hook(ANY, "create_model_card", "overridden", "our own card, of what was trained on which feedback"),
    Hook(GRPO, "_generate_and_score_completions", "overridden", "keeps the first prompt for the record"),
    Hook(GRPO, "_prepare_inputs", "overridden", "leaves rollouts without an advantage out of the loss"),
    Hook(BOTH, "_get_train_sampler", "overridden", "an order of prompts that survives a resume"),
    Hook(BOTH, "_generate_single_turn", "overridden", "rollouts from our own sampler on a CPU"),
    Hook(DISTILLATION, "_get_last_hidden_state", "read", "the forward pass without the head"),
    Hook(BOTH, "_metrics", "read", "ours are logged with TRL's"),
    Hook(BOTH, "_tokenizer", "read", "of the processing class, to decode and to render prompts"),
    Hook(BOTH, "eos_token_ids", "read", "which tokens end a rollout"),
    Hook(BOTH, "chat_template_kwargs", "read", "probes render the student's prompt again"),
    Hook(BOTH, "temperature", "read", "for our own sampler"),
    Hook(BOTH, "top_p", "read", "for our own sampler"),
    Hook(BOTH, "top_k", "read", "for our own sampler"),
    Hook(BOTH, "max_completion_length", "read", "for our own sampler"),
    Hook(BOTH, "use_vllm", "read", "then rollouts are TRL's to make"),
    Hook(GRPO, "_buffered_inputs", "read", "micro-batches of a step; set to those without idle rows"),
    Hook(GRPO, "_step", "read", "which micro-batch is next"),
    Hook(GRPO, "beta", "read", "with a KL penalty rows without an advantage count"),
    Hook(GRPO, "_entropy_bonus_enabled", "read", "with it rows without an advantage count"),
    Hook(GRPO, "aux_loss_enabled", "read", "with it rows without an advantage count"),
    Hook(GRPO, "top_entropy_quantile", "read", "below 1 rows without an advantage count"),
    Hook(GRPO, "loss_type", "read", "only dapo is a sum over tokens"),
    Hook(ANY, "accelerator", "read", "processes and device"),
    Hook(ANY, "args", "read", "the settings"),
    Hook(ANY, "is_deepspeed_enabled", "read", "then a batch is one pass, and nothing is probed"),
    Hook(ANY, "is_fsdp_enabled", "read", "then a batch is one pass, and nothing is probed"),
    Hook(ANY, "model", "read", "whether it trains; the student"),
    Hook(ANY, "model_wrapped", "read", "what our own sampler unwraps"),
    Hook(ANY, "state", "read", "the step"),
    Hook(ANY, "control", "read", "goes with what trackers are told"),
    Hook(ANY, "callback_handler", "read", "tells trackers of validation"),
    Hook(ANY, "train", "read", "trains"),
    Hook(ANY, "add_callback", "read", "recorder, guards, validation, probes, the teacher's updates"),
    Hook(ANY, "remove_callback", "read", "transformers' printing of every metric"),
    Hook(SAMPLER, "data_source", "read", "copied to our sampler"),
    Hook(SAMPLER, "mini_repeat_count", "read", "copied to our sampler"),
    Hook(SAMPLER, "batch_size", "read", "copied to our sampler"),
    Hook(SAMPLER, "repeat_count", "read", "copied to our sampler"),
    Hook(SAMPLER, "shuffle", "read", "copied to our sampler"),
    Hook(SAMPLER, "seed", "read", "copied to our sampler"),
    Hook(SAMPLER, "generator", "read", "seeded anew for each epoch"),
    Hook(SAMPLER, "num_samples", "read", "length of the permutations to skip"),
    Hook(("DistillationConfig",), "_VALID_DICT_FIELDS", "read", "settings that may be written as JSON"),
    Hook(("trl.models.utils",), "unwrap_model_for_generation", "imported", "the model to sample from"),
    Hook(("trl.trainer.utils",), "RepeatSampler", "imported", "the sampler that ours extends"),
    Hook(("trl.trainer.utils",), "create_model_from_path", "imported", "loads a model as TRL would"),
    Hook(("trl.trainer.utils",), "pad", "imported", "pads the teacher's prompts as TRL pads the student's"),
    Hook(("trl.import_utils",), "is_vllm_available", "imported", "says before training that vLLM is missing"),
    Hook(("trl.scripts.utils",), "TrlParser", "imported", "parses recipes and flags"),
    Hook(("trl.trainer.distillation_config",), "DistillationConfig", "imported", "what our settings extend"),
    Hook(("trl.trainer.model_config",), "ModelConfig", "imported", "model and LoRA settings"),
    Hook(("trl.chat_template_utils",), "qwen3_chat_template", "imported", "of the random model for smoke tests"),
    Hook(("transformers.integrations",), "is_deepspeed_zero3_enabled", "imported", "whether weights are sharded"),
    Hook(("transformers.integrations",), "TensorBoardCallback", "imported", "its directory names the run"),
    Hook(("transformers.integrations",), "integration_utils", "imported", "validation keeps its name in trackers"),
    Hook(("transformers.integrations.integration_utils",), "rewrite_logs", "imported", "set aside for validation"),
    Hook(("transformers.integrations.gguf",), "is_gguf_arch_supported", "imported", "says before loading what is not"),
    Hook(("transformers.integrations.gguf.reader",), "_read_metadata", "imported", "a GGUF file's header"),
    Hook(("transformers.integrations.gguf.reader",), "_read_tensor_table", "imported", "whether one is cut off"),
)


def check_hooks(trainer: Trainer) -> None:
    """Raises ConfigError where a hook of this trainer, which is made, is gone."""
    owners = {owner.__name__: owner for owner in type(trainer).__mro__}
    gone = [
        f"{name}.{hook.name}"
        for hook in HOOKS
        for name in hook.owners
        if name in owners and not hook.is_in(owners[name], trainer)
    ]
    if gone:
        raise ConfigError(
            f"TRL {version('trl')} with transformers {version('transformers')} has no {', '.join(gone)}; training "
            "needs it. Install the versions that stepalign asks for: pip install --upgrade stepalign."
        )
