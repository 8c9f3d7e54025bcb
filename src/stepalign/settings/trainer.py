"""What goes through TRL's own parser: its distillation settings with ours over them, and its model settings.

>>> args, model_args, given = parse_trainer({"divergence": "reverse_kl"}, ["--learning_rate", "1e-5"])
>>> args.divergence, args.learning_rate
('reverse_kl', 1e-05)
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NoReturn

from trl.scripts.utils import TrlParser
from trl.trainer.distillation_config import DistillationConfig
from trl.trainer.model_config import ModelConfig

from stepalign.core.errors import ConfigError
from stepalign.core.settings import check_values, converted, fields_of, names_of
from stepalign.settings.groups import LossSettings

EMA_DECAY = fields_of(LossSettings)["teacher_ema_decay"].default
# how long a run goes on and what it says meanwhile may change when it is taken up again
TRL_MAY_CHANGE = {
    *("max_steps", "num_train_epochs", "save_steps", "save_total_limit", "logging_steps", "logging_dir"),
    *("output_dir", "report_to", "run_name", "disable_tqdm"),
}


class OfAStudy:
    """Mixin before a TRL configuration: trackers, which are given `to_dict()`, also see the study's own settings."""

    study: Mapping[str, object] = MappingProxyType({})

    def to_dict(self) -> dict[str, Any]:
        """TRL's, over those of the study."""
        return {**self.study, **super().to_dict()}  # pyright: ignore


@dataclass
class SelfDistillationConfig(OfAStudy, LossSettings, DistillationConfig):  # pyright: ignore[reportIncompatibleVariableOverride]
    """TRL's distillation settings and the self-distillation loss."""

    _VALID_DICT_FIELDS: ClassVar[list[str]] = [*DistillationConfig._VALID_DICT_FIELDS, "teacher_chat_template_kwargs"]

    def __post_init__(self) -> None:
        check_values(self, names_of(LossSettings))
        if self.teacher != "ema" and self.teacher_ema_decay != EMA_DECAY:
            warnings.warn(f"teacher_ema_decay has no effect with teacher {self.teacher}.", stacklevel=2)
        if self.divergence != "jsd" and self.beta is not None:
            warnings.warn(f"beta has no effect with divergence {self.divergence}; set divergence: jsd.", stacklevel=2)
        self.beta = 0.5 if self.beta is None else self.beta
        self.remove_unused_columns = False
        self.disable_tqdm = bool(self.disable_tqdm)  # None would follow how much transformers' own log is to say
        if not accelerator_available():
            self.use_cpu = True
            self.bf16 = bool(self.bf16)
        super().__post_init__()


def accelerator_available() -> bool:
    """Whether a CUDA or Apple GPU is there; without one TRL must be told to stay on the CPU."""
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()


def parse_trainer(
    values: Mapping[str, object], flags: Sequence[str]
) -> tuple[SelfDistillationConfig, ModelConfig, dict[str, Any]]:
    """TRL's and our settings of a trainer, the model's, and those of both that were given.

    Args:
        values: of recipe and keyword arguments, and of our own flags; names that belong to neither are left out.
        flags: the words of TRL's flags, which win.
    Raises:
        ConfigError: a value does not parse, or settings do not go together.
    """
    kinds = (SelfDistillationConfig, ModelConfig)
    owner = {name: kind for kind in reversed(kinds) for name in names_of(kind)}
    shaped = {name: converted(owner[name], name, value) for name, value in values.items() if name in owner}
    parser: Any = TrlParser(list(kinds), allow_abbrev=False)  # pyright: ignore[reportArgumentType]
    parser.error = _raise_config_error
    # a flag and the setting it belongs to: --no_gradient_checkpointing sets gradient_checkpointing
    settings = {o.lstrip("-"): action.dest for action in parser._actions for o in action.option_strings}
    parser.set_defaults_with_config(**shaped)
    try:
        args, model_args = parser.parse_args_into_dataclasses(args=list(flags))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"settings: {error}") from None
    names = [word[2:].split("=")[0] for word in flags if word.startswith("--")]
    given = {settings.get(name, name) for name in names}
    by_flag = {name: getattr(kind, name) for kind in (args, model_args) for name in given if hasattr(kind, name)}
    return args, model_args, {**shaped, **by_flag}


def _raise_config_error(message: str) -> NoReturn:
    raise ConfigError(f"command line: {message}")
