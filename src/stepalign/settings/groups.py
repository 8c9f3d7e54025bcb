"""What can be set, group by group: the fields of these classes are the flags, the recipes' keys and the keyword
arguments of train, compare and preflight. Each has its documentation here and nowhere else. What concerns one command
alone is in `command_groups`.

What TRL and Hugging Face call their own is not declared again: `settings.trainer` takes it from them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from stepalign.core.settings import AtLeast0, AtLeast1, Settings, Share, setting
from stepalign.data.logged import RolloutsFormat
from stepalign.feedback.conditions import CONTROLS
from stepalign.settings.grading import GradingSettings

Divergence = Literal["forward_kl", "reverse_kl", "jsd"]
TeacherName = Literal["initial", "ema", "live"]


SAMPLES = "or what TRL, verl, ms-swift, prime-rl or tinker-cookbook logged, or conversations; docs/data.md."


@dataclass(frozen=True, kw_only=True)
class ColumnsSettings(Settings):
    """How the columns of problems are called, where they are not recognized."""

    columns: list[str] = setting(
        [],
        "Columns of the problems, as part=column: problem=question,answer=final,solution=...,id=... (id= makes ids). "
        "What is not named is recognized.",
    )


@dataclass(frozen=True, kw_only=True)
class LogSettings(Settings):
    """Whose responses are read, and how their columns are called."""

    rollouts_format: RolloutsFormat | None = setting(
        None,
        "Whose log the samples are: trl, ms-swift, verl, prime-rl, tinker or messages; none: by their columns, which "
        "is said.",
        may_change=True,  # what they say is compared
    )
    sample_columns: list[str] = setting(
        [],
        "Columns of the samples, as part=column: text=reply,prompt=asked,answer=gold, or problem_id=..., sample=... "
        "What is not named is recognized.",
        may_change=True,
    )


@dataclass(frozen=True, kw_only=True)
class TrainSettings(GradingSettings, ColumnsSettings):
    """What is trained, on which problems, from which feedback."""

    condition: str = setting(
        "stepalign",
        "grpo, or a feedback format: none, other, shifted, answer, hint, first_half, refsol, peer, describe, "
        "correction, whole_attempt, stepalign, random_step (docs/contexts.md), or one of your plugins.",
    )
    train_problems: str | None = setting(
        None,
        "Problems to train on, in any of the shapes of docs/data.md; none: the micro world makes them from the micro_* "
        "dials.",
    )
    prompt_templates: str | None = setting(
        None,
        "Templates of the student's and teacher's prompts: steps (asks for step tags), plain (the same for a base "
        "model without a chat template), bare (adds nothing), or a directory with student.jinja and teacher.jinja. "
        "None: what the model's config says, else steps.",
    )
    max_teacher_prompt_length: int = setting(
        4096, "Longest teacher prompt, in tokens. A longer one is never cut: its rollout is skipped and counted."
    )
    max_steps_without_context: AtLeast0 = setting(
        3, "Stop when no rollout got a usable context in this many steps in a row; 0: never.", may_change=True
    )
    num_generations: int = setting(8, "Rollouts a prompt in a GRPO group; self-distillation always takes one.")
    grpo_equal: Literal["rollouts", "prompts"] = setting(
        "prompts",
        "What a step of grpo has as many of as a step of self-distillation. prompts: as many prompts, and so "
        "num_generations times the rollouts. rollouts: as many rollouts, of batch / num_generations prompts.",
    )
    peer_samples: str | None = setting(
        None,
        "Graded samples of the training problems (stepalign evaluate or grade), whose right ones condition peer shows; "
        "those of the run so far are added. None: of the run alone.",
    )
    probe_steps: AtLeast0 = setting(
        0, "Every this many steps, measure on a few of the first step's rollouts where the signal falls; 0: never."
    )
    num_probes: AtLeast1 = setting(
        8, "Rollouts that are probed: the first ones with a wrong step that the critic names."
    )
    probe_teacher: AtLeast0 = setting(
        0,
        "At each checkpoint let the self-teacher answer for this many of the newest rollouts, and grade it; 0: never.",
    )
    plugins: list[str] = setting([], "Modules or .py files that register feedback formats of your own.")


@dataclass(frozen=True, kw_only=True)
class MicroSettings(Settings):
    """The dials of the micro world, which makes problems where no file of them is given."""

    micro_world: Literal["arithmetic", "code"] = setting(
        "arithmetic", "Which of the two: chained column arithmetic, or functions of one loop that are run (code)."
    )
    micro_seed: int = setting(0, "Seed of the micro world's problems.")
    micro_num_train: int = setting(282, "Training problems that the micro world makes.")
    micro_min_steps: int = setting(2, "Fewest operations of a micro problem.")
    micro_max_steps: int = setting(3, "Most operations of a micro problem (at most 6).")
    micro_min_carries: int = setting(
        3, "Fewest carries of a micro problem; in code, places where the solver slips (2 to 6)."
    )
    micro_max_carries: int = setting(5, "Most carries of a micro problem; in code, places where the solver slips.")
    micro_foreign: float = setting(1.0, "Share (0 to 1) of another author's words in micro reference solutions.")
    micro_condensed: float = setting(0.0, "Share (0 to 1) of micro reference steps without their working.")


@dataclass(kw_only=True)
class LossSettings:
    """The loss and its teacher, and what is TRL's under another default. `trainer.SelfDistillationConfig` has them."""

    divergence: Divergence = setting(
        "forward_kl", "forward_kl: KL(teacher || student); reverse_kl; jsd: generalized, with beta as its weight."
    )
    beta: float | None = setting(None, "Weight of the teacher in the mixture of jsd, 0 to 1; none: 0.5.")
    divergence_clip: float | None = setting(
        None, "Largest divergence of one vocabulary entry, in nats; none: no clipping. Cures style tokens."
    )
    divergence_top_k: int | None = setting(
        None, "Compare the teacher's k likeliest entries and one bucket for the rest; none: the full vocabulary."
    )
    teacher: TeacherName = setting(
        "initial",
        "Who the self-teacher is. initial: the policy as it was before training; ema: a moving average of its weights "
        "over training; live: the policy as it is.",
    )
    teacher_ema_decay: Share = setting(
        0.999, "Share (0 to 1) of the average that stays at each optimizer step, for teacher ema."
    )
    mask_first_tokens: AtLeast0 = setting(
        0, "First tokens of each response that carry no loss: 1 where a thinking teacher expects <think> there."
    )
    max_tokens_per_pass: AtLeast1 | None = setting(
        None,
        "Most tokens, padding included, in one forward pass of self-distillation: rollouts of similar length share "
        "passes within a micro-batch. None: no limit, the passes that are estimated to take least time.",
    )
    bf16: bool | None = setting(None, "bf16 mixed precision; none: on where a GPU is, off on a CPU.")
    logging_steps: float = setting(1, "Log every this many optimizer steps.")
    max_completion_length: int | None = setting(2048, "Longest rollout, in tokens.")
    temperature: float = setting(1.1, "Sampling temperature of the rollouts.")
    loss_temperature: float = setting(1.0, "Temperature at which the two distributions are compared.")
    teacher_chat_template_kwargs: dict[str, Any] | str | None = setting(
        None, "As chat_template_kwargs, for the teacher's prompt: {enable_thinking: true} for Qwen3's thinking."
    )
    # the order of the union matters to HfArgumentParser
    report_to: None | str | list[str] = setting(  # noqa: RUF036
        "none", "Trackers, as in Hugging Face (wandb, trackio, tensorboard …)."
    )


@dataclass(frozen=True, kw_only=True)
class EvalSettings(Settings):
    """How checkpoints are evaluated: the same for all of a run."""

    num_samples: int = setting(12, "Responses a problem in an evaluation: the k of pass@k, maj@k and avg@k.")
    eval_temperature: float | None = setting(None, "Sampling temperature of evaluations; none: temperature.")
    eval_batch_size: int = setting(264, "Sequences sampled together in an evaluation.")
    eval_seed: int = setting(0, "Seed of the evaluations' sampling: the same for all conditions and checkpoints.")


@dataclass(frozen=True, kw_only=True)
class ValidationSettings(Settings):
    """Validation while a model trains; `compare` has its own, after training."""

    validation_problems: str | None = setting(
        None, "Problems on which each checkpoint is evaluated as it is saved; none: no validation."
    )
    early_stopping_patience: AtLeast0 = setting(
        0, "Stop when validation avg@k was not better in this many evaluations; 0: never.", may_change=True
    )


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings(Settings):
    """What is compared."""

    conditions: list[str] = setting(
        ["grpo", "refsol", "stepalign"], "Conditions to compare: grpo and feedback formats."
    )
    seeds: list[int] = setting([0], "Seeds; every condition is trained once with each.")
    validation_problems: str | None = setting(
        None, "Problems to choose the checkpoint on; none: the micro world makes them."
    )
    test_problems: str | None = setting(None, "Held-out problems; none: the micro world makes them.")
    out_of_domain_problems: str | None = setting(
        None, "Problems of another kind, on which every checkpoint is evaluated, too; none: none."
    )
    num_seen: AtLeast0 = setting(
        30, "Training problems, drawn by eval_seed, on which every checkpoint is evaluated beside the unseen ones."
    )
    controls: bool = setting(
        False, "Also train the controls none, other and random_step, without which a gain says nothing of alignment."
    )
    micro_num_validation: int = setting(30, "Validation problems that the micro world makes.")
    micro_num_test: int = setting(60, "Test problems that the micro world makes.")
    num_processes: AtLeast1 = setting(
        1,
        "Processes that train one condition, one a GPU. Batch sizes are those of a process, as with accelerate launch: "
        "a step has num_processes x per_device_train_batch_size x gradient_accumulation_steps prompts.",
    )
    jobs: AtLeast0 = setting(
        0,
        "Conditions trained at the same time, each on GPUs of its own; where these are too few, they are shared. "
        "0: as many as fit, a process a GPU, or a core on a CPU.",
    )

    def with_controls(self) -> ComparisonSettings:
        """The same with the controls among the conditions, where these are asked for."""
        if not self.controls:
            return self
        return replace(self, conditions=list(dict.fromkeys([*self.conditions, *CONTROLS])))


@dataclass(frozen=True, kw_only=True)
class PreflightSettings(LogSettings):
    """What is tried. Recipes of `train` and `compare` are accepted whole; what they say beyond this has no effect."""

    conditions: list[str] = setting(
        ["refsol", "stepalign"], "Feedback formats to try; grpo has none and is left out.", may_change=True
    )
    problems: str | None = setting(
        None, "Problems to try them on; none: train_problems, else training problems of the micro world."
    )
    num_problems: AtLeast1 = setting(
        32, "Problems, drawn at random (by seed) from those given; all, where there are fewer."
    )
    num_samples: AtLeast1 = setting(
        4, "Rollouts a problem; of samples that are given the first so many. The teacher is sampled once for each."
    )
    samples: str | None = setting(
        None, f"The student's rollouts, instead of sampling them: problem_id, sample, text; {SAMPLES}", may_change=True
    )
    eval_batch_size: int = setting(264, "Sequences sampled together in an evaluation.")
