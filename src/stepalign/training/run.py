"""One training run: a model, problems, a condition, and a directory to leave everything in.

    >>> train(TrainingRun(study, model_args, args, problems=problems, grade=grade, critic=critic))

Started again on the same directory it goes on from its last checkpoint, or returns at once if it was finished.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accelerate.utils import DistributedType
from transformers import PrinterCallback, ProgressCallback, TrainerCallback
from trl import ModelConfig, get_peft_config, get_quantization_config
from trl.import_utils import is_vllm_available
from trl.trainer.utils import create_model_from_path

from stepalign.core.errors import ConfigError, suggest
from stepalign.core.problem import Problem
from stepalign.core.prompts import DEFAULT_TEMPLATES
from stepalign.feedback.formats import CritiqueSource, feedback_class, feedback_names
from stepalign.models.loading import check_model, load_tokenizer
from stepalign.runs.files import ROLLOUTS
from stepalign.training.arguments import SelfDistillationConfig, StudyArguments
from stepalign.training.callbacks import RunRecorder, ShortProgress, checkpoints, roll_back
from stepalign.training.grpo import GroupTrainer, grpo_config
from stepalign.training.guards import Guards
from stepalign.training.probes import Probes
from stepalign.training.rollouts import GradeRollouts, RolloutLog
from stepalign.training.self_distillation import SelfDistillationTrainer
from stepalign.training.validation import KeepBest, Validate

GRPO = "grpo"


@dataclass
class TrainingRun:
    """All that a run needs. `critic` may stay None where the condition's format asks for none; `probe_critic` is then
    asked where the probes' rollouts go wrong. `validate` and `patience` are those of `training.validation.KeepBest`."""

    study: StudyArguments
    model_args: ModelConfig
    args: SelfDistillationConfig
    problems: Sequence[Problem]
    grade: GradeRollouts
    critic: CritiqueSource | None = None
    probe_critic: CritiqueSource | None = None
    callbacks: list[TrainerCallback] = field(default_factory=list[TrainerCallback])
    validate: Validate | None = None
    patience: int = 0


def check_condition(condition: str) -> None:
    """Raises ConfigError where no such condition exists, with the nearest name."""
    names = [GRPO, *feedback_names()]
    if condition not in names:
        raise ConfigError(f"unknown condition '{condition}'{suggest(condition, names)}")


def train(run: TrainingRun) -> list[Path]:
    """Train to the end and return the checkpoints, first step first.

    Raises:
        ConfigError: an unknown condition, a format whose critic is missing, or vLLM is asked for and missing.
        ModelError: the model does not load.
    """
    check_condition(run.study.condition)
    check_num_problems(len(run.problems), run.args, run.args.world_size)
    check_sampler(run.args)
    directory = Path(str(run.args.output_dir))
    with run.args.main_process_first(desc="rolling back to the last checkpoint"):
        last, wall_s = roll_back(directory)
        guards = Guards(directory)
        best = KeepBest(directory, run.validate, run.patience, guards) if run.validate is not None else None
        if best is not None and run.args.process_index == 0:
            best.catch_up(checkpoints(directory))
    complete = last is not None and run.args.max_steps > 0 and last.name == f"checkpoint-{run.args.max_steps}"
    if complete or (best is not None and best.exhausted):
        return checkpoints(directory)
    rollout_log = RolloutLog(directory / ROLLOUTS)
    trainer = _make_trainer(run, rollout_log)
    if run.args.fsdp and trainer.accelerator.distributed_type != DistributedType.FSDP:
        warnings.warn("fsdp has no effect here: accelerate shards a model over several accelerators.", stacklevel=2)
    recorder = RunRecorder(directory, rollout_log, wall_s, paused_s=lambda: best.seconds if best is not None else 0.0)
    trainer.remove_callback(ProgressCallback)  # prints every metric of every step
    trainer.remove_callback(PrinterCallback)
    shown = [] if run.args.disable_tqdm else [ShortProgress()]
    kept = [] if best is None else [best]  # after the recorder, which seals the checkpoint
    for callback in (recorder, guards, *kept, *shown, *_probes(run, trainer, directory), *run.callbacks):
        trainer.add_callback(callback)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    return checkpoints(directory)


def _probes(run: TrainingRun, trainer: Any, directory: Path) -> list[TrainerCallback]:
    if not run.study.probe_steps or run.study.condition == GRPO:  # GRPO has no context that could be probed
        return []
    every, num = run.study.probe_steps, run.study.num_probes
    context, critic = run.study.condition, run.probe_critic
    return [Probes(trainer, directory, context=context, every=every, num_probes=num, critic=critic)]


def check_num_problems(num_problems: int, args: SelfDistillationConfig, num_processes: int) -> None:
    """Raises ConfigError where the problems do not fill one step: TRL's sampler would then yield nothing at all."""
    size = args.per_device_train_batch_size
    prompts = size * args.gradient_accumulation_steps * num_processes
    if num_problems < prompts:
        raise ConfigError(
            f"{num_problems} training problems do not fill one step of {prompts} prompts. Give more problems, or lower "
            f"per_device_train_batch_size (now {size}) or gradient_accumulation_steps."
        )


def check_sampler(args: SelfDistillationConfig) -> None:
    """Raises ConfigError where rollouts are to come from a vLLM that is not installed here."""
    if args.use_vllm and not is_vllm_available():
        raise ConfigError(
            "use_vllm is set, and vLLM is not installed in this environment. Install it (pip install 'stepalign[vllm]' "
            "in an environment of its own), or sample with transformers: --use_vllm false."
        )


def _make_trainer(run: TrainingRun, rollout_log: RolloutLog) -> Any:
    name = run.model_args.model_name_or_path or ""
    feedback = None if run.study.condition == GRPO else feedback_class(run.study.condition)(run.critic)
    check_model(name)
    shared: dict[str, Any] = {
        "model": _load(name, run.model_args),
        "processing_class": load_tokenizer(name),
        "peft_config": get_peft_config(run.model_args),
        "problems": run.problems,
        "grade": run.grade,
        "prompt_templates": run.study.prompt_templates or DEFAULT_TEMPLATES,
        "rollout_log": rollout_log,
    }
    if feedback is None:
        return GroupTrainer(args=grpo_config(run.args, run.study.num_generations), **shared)
    limit = run.study.max_teacher_prompt_length
    return SelfDistillationTrainer(args=run.args, feedback=feedback, max_teacher_prompt_length=limit, **shared)


def _load(name: str, model_args: ModelConfig) -> Any:
    kwargs: dict[str, Any] = {
        "dtype": model_args.dtype or "float32",
        "revision": model_args.model_revision,
        "attn_implementation": model_args.attn_implementation,
        "quantization_config": get_quantization_config(model_args),
    }
    return create_model_from_path(name, **{key: value for key, value in kwargs.items() if value is not None})
