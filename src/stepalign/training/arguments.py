"""The settings of one training run: ours here, everything else from TRL and Hugging Face under their own names.

`StudyArguments` says what is trained on; `SelfDistillationConfig` adds the loss to TRL's `DistillationConfig`; TRL's
`ModelConfig` brings model and LoRA. All are flat keys of a YAML recipe and flags of the command line.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar

from trl import DistillationConfig

from stepalign.core.errors import ConfigError, suggest
from stepalign.core.settings import setting

DIVERGENCES = ("forward_kl", "reverse_kl", "jsd")
TEACHERS = ("initial", "ema", "live")
EMA_DECAY = 0.999


@dataclass
class StudyArguments:
    """What is trained, on which problems, from which feedback."""

    condition: str = setting("stepalign", "grpo, or a feedback format: refsol, stepalign or one of your plugins.")
    train_problems: str | None = setting(
        None, "JSONL of problems to train on; none: the micro world makes them from the micro_* dials."
    )
    prompt_templates: str | None = setting(
        None,
        "Templates of the student's and teacher's prompts: steps (asks for step tags), bare (adds nothing), or a "
        "directory with student.jinja and teacher.jinja. None: what the model's config says, else steps.",
    )
    max_teacher_prompt_length: int = setting(
        4096, "Longest teacher prompt, in tokens. A longer one is never cut: its rollout is skipped and counted."
    )
    num_generations: int = setting(8, "Rollouts a prompt in a GRPO group; self-distillation always takes one.")
    answer_patterns: list[str] = setting(
        ["answer_tag", "boxed", "hash", "a_colon"], "Where a final answer may stand; the last match counts."
    )
    probe_steps: int = setting(
        0, "Every this many steps, measure on a few of the first step's rollouts where the signal falls; 0: never."
    )
    num_probes: int = setting(8, "Rollouts that are probed: the first ones with a wrong step that the critic names.")
    plugins: list[str] = setting([], "Modules or .py files that register feedback formats of your own.")
    micro_seed: int = setting(0, "Seed of the micro world's problems.")
    micro_num_train: int = setting(282, "Training problems that the micro world makes.")
    micro_min_steps: int = setting(2, "Fewest operations of a micro problem.")
    micro_max_steps: int = setting(3, "Most operations of a micro problem (at most 6).")
    micro_min_carries: int = setting(3, "Fewest carries of a micro problem.")
    micro_max_carries: int = setting(5, "Most carries of a micro problem.")
    micro_foreign: float = setting(1.0, "Share (0 to 1) of another author's words in micro reference solutions.")
    micro_condensed: float = setting(0.0, "Share (0 to 1) of micro reference steps without their working.")

    def __post_init__(self) -> None:
        for name, least in (("probe_steps", 0), ("num_probes", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name}: got {getattr(self, name)}; expected {least} or more.")


@dataclass
class SelfDistillationConfig(DistillationConfig):
    """TRL's distillation settings and the self-distillation loss."""

    divergence: str = setting(
        "forward_kl", "forward_kl: KL(teacher || student); reverse_kl; jsd: generalized, with beta as its weight."
    )
    beta: float | None = setting(None, "Weight of the teacher in the mixture of jsd, 0 to 1; none: 0.5.")
    divergence_clip: float | None = setting(
        None, "Largest divergence of one vocabulary entry, in nats; none: no clipping. Cures style tokens."
    )
    divergence_top_k: int | None = setting(
        None, "Compare the teacher's k likeliest entries and one bucket for the rest; none: the full vocabulary."
    )
    teacher: str = setting(
        "initial",
        "Who the self-teacher is. initial: the policy as it was before training; ema: a moving average of its weights "
        "over training; live: the policy as it is.",
    )
    teacher_ema_decay: float = setting(
        EMA_DECAY, "Share (0 to 1) of the average that stays at each optimizer step, for teacher ema."
    )
    mask_first_tokens: int = setting(
        0, "First tokens of each response that carry no loss: 1 where a thinking teacher expects <think> there."
    )
    max_tokens_per_pass: int | None = setting(
        None,
        "Most tokens, padding included, in one forward pass of self-distillation: rollouts of similar length share "
        "passes within a micro-batch. None: no limit, the passes that are estimated to take least time.",
    )
    bf16: bool | None = setting(None, "bf16 mixed precision; none: on where a GPU is, off on a CPU.")
    logging_steps: float = setting(1, "Log every this many optimizer steps.")
    max_completion_length: int | None = setting(2048, "Longest rollout, in tokens.")
    temperature: float = setting(1.1, "Sampling temperature of the rollouts.")
    loss_temperature: float = setting(1.0, "Temperature at which the two distributions are compared.")
    teacher_chat_template_kwargs: dict | str | None = setting(
        None, "As chat_template_kwargs, for the teacher's prompt: {enable_thinking: true} for Qwen3's thinking."
    )
    # the order of the union matters to HfArgumentParser
    report_to: None | str | list[str] = setting(  # noqa: RUF036
        "none", "Trackers, as in Hugging Face (wandb, trackio, tensorboard …)."
    )

    _VALID_DICT_FIELDS: ClassVar[list[str]] = [*DistillationConfig._VALID_DICT_FIELDS, "teacher_chat_template_kwargs"]

    def __post_init__(self) -> None:
        if self.divergence not in DIVERGENCES:
            raise ConfigError(f"unknown divergence '{self.divergence}'{suggest(self.divergence, DIVERGENCES)}")
        if self.teacher not in TEACHERS:
            raise ConfigError(f"unknown teacher '{self.teacher}'{suggest(self.teacher, TEACHERS)}")
        if not 0 <= self.teacher_ema_decay <= 1:
            raise ConfigError(f"teacher_ema_decay: got {self.teacher_ema_decay}; expected a share between 0 and 1.")
        if self.teacher != "ema" and self.teacher_ema_decay != EMA_DECAY:
            warnings.warn(f"teacher_ema_decay has no effect with teacher {self.teacher}.", stacklevel=2)
        if self.mask_first_tokens < 0:
            raise ConfigError(f"mask_first_tokens: got {self.mask_first_tokens}; expected 0 or more.")
        if self.max_tokens_per_pass is not None and self.max_tokens_per_pass < 1:
            raise ConfigError(f"max_tokens_per_pass: got {self.max_tokens_per_pass}; expected 1 or more.")
        if self.divergence != "jsd" and self.beta is not None:
            warnings.warn(f"beta has no effect with divergence {self.divergence}; set divergence: jsd.", stacklevel=2)
        self.beta = 0.5 if self.beta is None else self.beta
        self.remove_unused_columns = False
        if not accelerator_available():
            self.use_cpu = True
            self.bf16 = bool(self.bf16)
        super().__post_init__()


def accelerator_available() -> bool:
    """Whether a CUDA or Apple GPU is there; without one TRL must be told to stay on the CPU."""
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()
