"""A run as it was asked for, checked and complete: what every room above works from, and none of them changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import cast

from trl.trainer.model_config import ModelConfig

from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.runs.world import World
from stepalign.settings.groups import (
    ComparisonSettings,
    EvalSettings,
    MicroSettings,
    PreflightSettings,
    TrainSettings,
    ValidationSettings,
)
from stepalign.settings.trainer import SelfDistillationConfig


@dataclass(frozen=True)
class Run:
    """One model, its problems and prompts, a critic if there is one, a trainer, and how checkpoints are evaluated.

    Attributes:
        training: what is trained; its `prompt_templates` are settled.
        model: TRL's model settings; `model_name_or_path` is a directory, a GGUF file or a hub name.
        trainer: TRL's and the loss's settings.
        critic: None where none is set.
        evaluation: sampling of validation and comparison.
        problems: by split: train, and validation and test where there are any.
        world: micro: the model or the problems are the constructed world's.
        record: the settings as `config.yaml` holds them.
    """

    training: TrainSettings
    micro: MicroSettings
    model: ModelConfig
    trainer: SelfDistillationConfig
    critic: CriticSettings | None
    evaluation: EvalSettings
    problems: Mapping[str, Sequence[Problem]]
    world: World
    record: Mapping[str, object]
    validation: ValidationSettings = field(default_factory=ValidationSettings)

    @property
    def directory(self) -> Path:
        """Where the run leaves everything."""
        return Path(str(self.trainer.output_dir))

    @property
    def model_name(self) -> str:
        """Directory, GGUF file or hub name of the model that is trained."""
        return str(self.model.model_name_or_path)

    @property
    def prompt_templates(self) -> str:
        """Family of the prompts."""
        return str(self.training.prompt_templates)

    @property
    def chat_template_kwargs(self) -> dict[str, object]:
        """What the student's chat template is given."""
        kwargs = self.trainer.chat_template_kwargs  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return dict(cast("dict[str, object] | None", kwargs) or {})

    @property
    def teacher_chat_template_kwargs(self) -> dict[str, object]:
        """What the self-teacher's chat template is given."""
        return dict(cast("dict[str, object] | None", self.trainer.teacher_chat_template_kwargs) or {})

    @property
    def max_response_length(self) -> int:
        """Longest response, in tokens."""
        return self.trainer.max_completion_length or 0

    @property
    def process_index(self) -> int:
        """Which of the processes that train this is, from 0."""
        return int(cast("int", self.trainer.process_index))  # pyright: ignore[reportUnknownMemberType]

    @property
    def num_processes(self) -> int:
        """Processes that train together."""
        return world_size(self.trainer)


@dataclass(frozen=True)
class ComparedRun(Run):
    """A run for each condition and seed; `record` is what all of them share."""

    comparison: ComparisonSettings = field(default_factory=ComparisonSettings)

    @property
    def num_checkpoints(self) -> int:
        """Checkpoints of one condition and seed; Hugging Face saves at the last step as well."""
        last, every = self.trainer.max_steps, int(self.trainer.save_steps)
        return len({*range(every, last + 1, every), last})


@dataclass(frozen=True)
class PreflightRun(Run):
    """Feedback formats tried on a few problems: `problems["train"]` are those. `samples`: their rollouts, where these
    are not sampled."""

    preflight: PreflightSettings = field(default_factory=PreflightSettings)
    samples: Sequence[Rollout] = ()


def world_size(trainer: SelfDistillationConfig) -> int:
    """Processes that train together."""
    return int(cast("int", trainer.world_size))  # pyright: ignore[reportUnknownMemberType]


def plain(value: object) -> object:
    """Settings as YAML can hold them."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in cast("Iterable[object]", value)]
    if isinstance(value, Enum):
        return value.value
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def record_of(*groups: object) -> dict[str, object]:
    """The settings of several groups as one flat record, later groups winning."""
    record: dict[str, object] = {}
    for group in groups:
        values = cast("Mapping[object, object]", group if isinstance(group, Mapping) else vars(group))
        record |= {str(name): plain(value) for name, value in values.items()}
    return record
