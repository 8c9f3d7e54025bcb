"""Who the self-teacher is: the model itself, given a context, at one of three moments of its own training.

    initial   as it was before training (the paper's): the adapter switched off, or a frozen copy where there is none
    ema       a moving average over training: after each optimizer step, average = d * average + (1 - d) * weights
    live      as it is now; no gradient goes through it

    >>> teacher = make_teacher("ema", student, decay=0.999)
    >>> with torch.no_grad(), teacher.policy(student) as policy:
    ...     logits = policy(torch.tensor([[1, 2]])).logits
    >>> teacher.update(student)                 # after each optimizer step
    >>> teacher.save(directory)
    >>> teacher.load(directory)

The average covers the trainable parameters alone (with LoRA the adapter's), is kept in float32 or wider, because steps
of 1 - d are lost in bfloat16, and stands in the checkpoint as `teacher.safetensors`.
"""

from __future__ import annotations

import copy
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import cast

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch.nn import Parameter
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stepalign.core.errors import ConfigError, ModelError
from stepalign.models.evaluation_mode import evaluation_mode

TEACHER_WEIGHTS = "teacher.safetensors"


class Teacher:
    """What the trainer asks of a teacher. Without weights of its own only `policy` is of interest."""

    def policy(self, student: PreTrainedModel) -> AbstractContextManager[PreTrainedModel]:
        """The self-teacher's model, in evaluation mode, for as long as the context is open."""
        raise NotImplementedError

    def update(self, student: PreTrainedModel) -> None:
        """Called after each optimizer step."""

    def save(self, directory: Path) -> None:
        """Keep what a resumed run needs beside the checkpoint's own files."""

    def load(self, directory: Path) -> None:
        """Take up what `save` kept."""


class LiveTeacher(Teacher):
    """The current weights."""

    def policy(self, student: PreTrainedModel) -> AbstractContextManager[PreTrainedModel]:
        """The student."""
        return evaluation_mode(student)


class InitialTeacher(Teacher):
    """The policy before training; `copy` is None where switching an adapter off gives it without one."""

    def __init__(self, student: PreTrainedModel, device: torch.device | None = None):
        self.copy = None
        if not isinstance(student, PeftModel):
            frozen = copy.deepcopy(student).eval().requires_grad_(False)
            self.copy = frozen if device is None else frozen.to(device)  # pyright: ignore

    @contextmanager
    def policy(self, student: PreTrainedModel) -> Generator[PreTrainedModel]:
        """The copy, or the student with its adapter switched off."""
        if self.copy is not None:
            yield self.copy
        else:
            with evaluation_mode(student), cast("PeftModel", student).disable_adapter():
                yield student


class EmaTeacher(Teacher):
    """The moving average of the student's trainable parameters, put in their place while the teacher is asked."""

    def __init__(self, student: PreTrainedModel, decay: float):
        self.decay = decay
        self.average = {
            name: parameter.detach().to(torch.promote_types(parameter.dtype, torch.float32), copy=True)
            for name, parameter in _trainable(student).items()
        }

    @torch.no_grad()
    def update(self, student: PreTrainedModel) -> None:
        """average = decay * average + (1 - decay) * weights, parameter by parameter."""
        for name, parameter in _trainable(student).items():
            average = self.average[name]
            average.lerp_(parameter.detach().to(average.dtype), 1 - self.decay)

    @contextmanager
    def policy(self, student: PreTrainedModel) -> Generator[PreTrainedModel]:
        """The student with the average for its weights, which come back afterwards."""
        parameters = _trainable(student)
        weights = {name: parameter.data for name, parameter in parameters.items()}
        try:
            _put(parameters, {name: average.to(parameters[name].dtype) for name, average in self.average.items()})
            with evaluation_mode(student):
                yield student
        finally:
            _put(parameters, weights)

    def save(self, directory: Path) -> None:
        """Write the average beside the checkpoint's own files."""
        save_file(self.average, directory / TEACHER_WEIGHTS)

    def load(self, directory: Path) -> None:
        """Take up the average that `save` wrote.

        Raises:
            ModelError: the checkpoint has none, or that of other parameters.
        """
        path = directory / TEACHER_WEIGHTS
        if not path.is_file():
            raise ModelError(f"{directory} has no {TEACHER_WEIGHTS}. Expected a checkpoint trained with teacher: ema.")
        stored = load_file(path)
        if stored.keys() != self.average.keys():
            raise ModelError(f"{path} holds the average of other parameters than this model trains. Use its own model.")
        for name, average in self.average.items():
            average.copy_(stored[name])


class TeacherUpdates(TrainerCallback):
    """Tells the teacher of each optimizer step; `student` is the model without what wraps it."""

    def __init__(self, teacher: Teacher, student: PreTrainedModel):
        self.teacher, self.student = teacher, student

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """After each optimizer step."""
        self.teacher.update(self.student)


def make_teacher(
    name: str, student: PreTrainedModel, *, decay: float, sharded: bool = False, device: torch.device | None = None
) -> Teacher:
    """The teacher of that name.

    Args:
        name: initial, ema or live.
        student: the model, not wrapped yet, as it is before training.
        decay: of ema, 0 to 1.
        sharded: whether FSDP or DeepSpeed ZeRO-3 spreads the weights over processes.
        device: where a frozen copy goes; None: where the student is.
    Raises:
        ConfigError: the average of sharded weights, which is not supported.
    """
    if name == "ema":
        if sharded:
            raise ConfigError("teacher 'ema' does not work with FSDP or ZeRO-3. Use teacher: initial or live, or DDP.")
        return EmaTeacher(student, decay)
    return LiveTeacher() if name == "live" else InitialTeacher(student, device)


def _trainable(model: PreTrainedModel) -> dict[str, Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _put(parameters: dict[str, Parameter], weights: dict[str, torch.Tensor]) -> None:
    for name, parameter in parameters.items():
        parameter.data = weights[name]
    torch.clear_autocast_cache()  # autocast keeps a parameter's copy in half precision and would go on using it
