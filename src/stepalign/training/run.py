"""One training run: a model, problems, a condition, and a directory to leave everything in.

    >>> from stepalign.settings.commands import TRAIN
    >>> from stepalign.settings.given import read_given
    >>> from stepalign.settings.resolve import resolve_training
    >>> argv = ["--config", "my.yaml", "--condition", "refsol", "--max_steps", "1", "--output_dir", "runs/refsol"]
    >>> [path.name for path in train(resolve_training(read_given(TRAIN, argv)))]
    ['checkpoint-1']

Started again on the same directory it goes on from its last checkpoint, or returns at once if it was finished.
"""

from __future__ import annotations

import atexit
import copy
import errno
import gc
import shutil
import time
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate.utils import DistributedType
from transformers import AutoModelForCausalLM, PreTrainedModel, PrinterCallback, ProgressCallback, TrainerCallback
from trl import ModelConfig, get_quantization_config
from trl.trainer.utils import create_model_from_path

from stepalign.core.environment import describe_environment
from stepalign.core.errors import ConfigError
from stepalign.core.files import write_json, write_jsonl, write_text
from stepalign.core.prompts import render_prompt
from stepalign.core.rollout import Grade, Rollout
from stepalign.core.settings import may_change
from stepalign.evaluation.checkpoints import Evaluator, evaluate_checkpoint, evaluation_sampling
from stepalign.evaluation.evaluate import grade_rollouts
from stepalign.feedback.conditions import GRPO, check_condition, needs_critic
from stepalign.feedback.critics.recorded import make_recorded_critic
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.formats import AskCritic, feedback_class
from stepalign.feedback.from_peers import PEER, known_peers
from stepalign.grading import AnyGrader
from stepalign.models.gguf import call_by_file, is_gguf
from stepalign.models.loading import load_tokenizer, load_trouble, pretrained_arguments
from stepalign.models.prompts import chat_prompts, opens_thinking
from stepalign.runs.files import (
    CONFIG,
    ENVIRONMENT,
    PROBES_DIRECTORY,
    ROLLOUTS,
    SETTINGS,
    USED_PROBLEMS,
    checkpoints,
    is_trained,
)
from stepalign.settings.grading import make_grader
from stepalign.settings.groups import EvalSettings, MicroSettings, TrainSettings, ValidationSettings
from stepalign.settings.run import Run
from stepalign.settings.same import check_same
from stepalign.settings.trainer import TRL_MAY_CHANGE
from stepalign.training.adapter import lora_config
from stepalign.training.callbacks import RunRecorder, roll_back
from stepalign.training.grpo import GroupTrainer, grpo_config
from stepalign.training.guards import Guards
from stepalign.training.model_card import Cards, write_cards
from stepalign.training.no_context import StopWithoutContext
from stepalign.training.probe_teacher import ProbeTeacher
from stepalign.training.probes import Probes
from stepalign.training.progress import ShowProgress
from stepalign.training.rollouts import GradeRollouts, RolloutLog
from stepalign.training.self_distillation import SelfDistillationTrainer
from stepalign.training.trackers import TellTrackers, introduce
from stepalign.training.validation import KeepBest, Validate

LET_GO_S = 0.2  # for threads of gloo, which need microseconds
GROUPS = (TrainSettings, MicroSettings, ValidationSettings, EvalSettings, CriticSettings)


@dataclass
class Parts:
    """What a run works with. `critic` may stay None where the condition's format asks for none; `probe_critic` is then
    asked where the probes' rollouts go wrong. `validate` evaluates a checkpoint while training goes on."""

    grade: GradeRollouts
    critic: AskCritic | None = None
    probe_critic: AskCritic | None = None
    callbacks: list[TrainerCallback] = field(default_factory=list[TrainerCallback])
    validate: Validate | None = None


def train(run: Run) -> list[Path]:
    """Train to the end, or go on, and return the checkpoints, first step first.

    Raises:
        ConfigError: the directory holds another run.
        ModelError: the model does not load.
        OSError: the disk is full.
    """
    directory = run.directory
    check_same_run(directory, run.record)
    if run.process_index == 0:
        write_text(directory / CONFIG, yaml.safe_dump(run.record, sort_keys=True, allow_unicode=True))
        write_json(directory / ENVIRONMENT, describe_environment())
        if not (directory / SETTINGS).exists():  # part of a comparison, which keeps its problems itself
            write_jsonl(directory / USED_PROBLEMS, (problem.to_json() for problem in run.problems["train"]))
    condition = run.training.condition
    is_open = opens_thinking(load_tokenizer(run.model_name, run.prompt_templates), run.chat_template_kwargs)
    with make_grader(run.training) as grader:

        def grade(rollouts: Sequence[Rollout]) -> list[Grade]:
            graded = grade_rollouts(rollouts, grader, thinking_open=is_open)
            return [rollout.grade for rollout in graded if rollout.grade is not None]

        is_asked = needs_critic(condition)
        processes = (run.process_index, run.num_processes)
        critic = make_recorded_critic(run.critic, grader.grade, directory, processes) if is_asked else None
        probed = run.training.probe_steps and condition != GRPO and not is_asked
        probe_critic = make_recorded_critic(run.critic, grader.grade, directory / PROBES_DIRECTORY) if probed else None
        validate = make_validate(run, grader) if run.problems.get("validation") else None
        with disk_full_as_os_error(directory):
            sealed = train_with(run, Parts(grade, critic, probe_critic, validate=validate))
        if critic is not None:
            critic.write_total()
        if run.num_processes > 1:  # after a failure others may still wait for this one: leaving could then block
            atexit.register(_leave_process_group)
        return sealed


def _leave_process_group() -> None:
    """Before a process ends: a thread of gloo that lets go of a tensor while Python ends aborts the process.

    Nor may it still have one when the group is taken down: it then holds the lock that the end of the group waits for,
    and waits for the interpreter, which waits for that end. So it is given the time to let go first.
    """
    if torch.distributed.is_initialized():
        time.sleep(LET_GO_S)
        torch.distributed.destroy_process_group()
        gc.collect()  # models wrapped for DDP hold the group, too


def check_same_run(directory: Path, record: Mapping[str, object]) -> None:
    """Raises ConfigError where the directory holds another run, ours with other settings or a foreign one."""
    path = directory / CONFIG
    if not path.exists() and list(directory.glob("checkpoint-*")):
        raise ConfigError(
            f"{directory} holds checkpoints of another program; they would be removed. Use another --output_dir."
        )
    if path.exists() and checkpoints(directory):
        stored = yaml.safe_load(path.read_text(encoding="utf-8"))
        free = {*TRL_MAY_CHANGE, *may_change(*GROUPS)}
        check_same(stored, record, f"{directory} holds a run", may_change=free)


def make_validate(run: Run, grader: AnyGrader) -> Validate:
    """What evaluates a checkpoint while training goes on; the numbers are those of `compare`, by the same path."""
    sampling = evaluation_sampling(run)
    splits = {"validation": run.problems["validation"]}
    evaluator = Evaluator(splits, sampling, grader, run.prompt_templates, run.chat_template_kwargs)

    def validate(checkpoint: Path) -> dict[str, Any]:
        return evaluate_checkpoint(checkpoint, run.model_name, evaluator)

    return validate


@contextmanager
def disk_full_as_os_error(directory: Path) -> Generator[None]:
    """safetensors and torch tell of a full disk by errors of their own; make it the one that has a clear message."""
    try:
        yield
    except Exception as error:
        full = "No space left" in str(error) or shutil.disk_usage(directory).free < 4096
        if isinstance(error, OSError) or not full:
            raise
        raise OSError(errno.ENOSPC, "No space left on device", str(directory)) from error


def train_with(run: Run, parts: Parts) -> list[Path]:
    """The same with parts of one's own, without the record of settings."""
    check_condition(run.training.condition)
    directory, args = run.directory, run.trainer
    with args.main_process_first(desc="rolling back to the last checkpoint"):
        last, wall_s = roll_back(directory)
        guards = Guards(directory)
        patience = run.validation.early_stopping_patience
        best = None
        if parts.validate is not None:
            best = KeepBest(directory, parts.validate, patience, guards, announce=partial(write_cards, run))
        if best is not None and args.process_index == 0:
            best.catch_up(checkpoints(directory))
    if is_trained(directory, args.max_steps) or (best is not None and best.exhausted):
        return checkpoints(directory)
    rollout_log = RolloutLog(directory / ROLLOUTS)
    trainer = _make_trainer(run, parts, rollout_log)
    if args.fsdp and trainer.accelerator.distributed_type != DistributedType.FSDP:
        warnings.warn("fsdp has no effect here: accelerate shards a model over several accelerators.", stacklevel=2)
    recorder = RunRecorder(directory, rollout_log, wall_s, paused_s=lambda: best.seconds if best is not None else 0.0)
    trainer.remove_callback(ProgressCallback)  # prints every metric of every step
    trainer.remove_callback(PrinterCallback)
    introduce(trainer, run)
    trainer.write_card = partial(write_cards, run)
    shown = ShowProgress()
    kept = [] if best is None else [best, TellTrackers(trainer, best)]  # after the recorder, which seals the checkpoint
    watching = [
        *([] if args.disable_tqdm else [shown]),
        *_probes(run, parts, trainer),
        *_teacher_probe(run, parts, trainer),
    ]
    if run.training.max_steps_without_context and isinstance(trainer, SelfDistillationTrainer):
        watching.append(StopWithoutContext(run, rollout_log, parts.critic))
    for callback in (Cards(run), recorder, guards, *kept, *watching, *parts.callbacks):
        trainer.add_callback(callback)
    try:
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    finally:
        shown.close()
    return checkpoints(directory)


def _probes(run: Run, parts: Parts, trainer: SelfDistillationTrainer | GroupTrainer) -> list[TrainerCallback]:
    condition, every = run.training.condition, run.training.probe_steps
    if not every or isinstance(trainer, GroupTrainer):  # GRPO has no context that could be probed
        return []
    num_probes = run.training.num_probes
    critic = parts.probe_critic
    return [Probes(trainer, run.directory, context=condition, every=every, num_probes=num_probes, critic=critic)]


def _teacher_probe(run: Run, parts: Parts, trainer: SelfDistillationTrainer | GroupTrainer) -> list[TrainerCallback]:
    count = run.training.probe_teacher
    if not count or isinstance(trainer, GroupTrainer):
        return []
    sampling = evaluation_sampling(run)
    return [ProbeTeacher(trainer, run.directory, num_rollouts=count, grade=parts.grade, sampling=sampling)]


def _make_trainer(run: Run, parts: Parts, rollout_log: RolloutLog) -> GroupTrainer | SelfDistillationTrainer:
    condition, tokenizer = run.training.condition, load_tokenizer(run.model_name, run.prompt_templates)
    first = render_prompt(run.prompt_templates, "student", problem=run.problems["train"][0])
    chat_prompts(tokenizer, [first], run.chat_template_kwargs)  # one that fails is told before weights are loaded
    args = copy.copy(run.trainer)  # the trainer's own: it is given a name, and the run stays as it was asked for
    model = _load(run.model_name, run.model)
    shared: dict[str, Any] = {
        "model": model,
        "processing_class": tokenizer,
        "peft_config": lora_config(run.model, model),
        "problems": run.problems["train"],
        "grade": parts.grade,
        "prompt_templates": run.prompt_templates,
        "rollout_log": rollout_log,
    }
    if condition == GRPO:
        training = run.training
        return GroupTrainer(args=grpo_config(args, training.num_generations, training.grpo_equal), **shared)
    problems, limit = run.problems["train"], run.training.max_teacher_prompt_length
    peers = known_peers(run.training.peer_samples, problems, run.directory) if condition == PEER else ()
    feedback = feedback_class(condition)(parts.critic, problems=problems, peers=peers, seed=args.seed)
    return SelfDistillationTrainer(args=args, feedback=feedback, max_teacher_prompt_length=limit, **shared)


def _load(name: str, model: ModelConfig) -> PreTrainedModel:
    directory, kwargs = pretrained_arguments(name, model.dtype or "float32")
    asked = {
        "revision": model.model_revision,
        "attn_implementation": model.attn_implementation,
        "quantization_config": get_quantization_config(model),
    }
    kwargs |= {key: value for key, value in asked.items() if value is not None}
    try:
        make = AutoModelForCausalLM.from_pretrained if is_gguf(name) else create_model_from_path
        loaded = make(directory, **kwargs)
    except Exception as error:  # transformers raises many kinds
        raise load_trouble(name, error) from error
    if is_gguf(name):
        call_by_file(loaded, name)
    return loaded
