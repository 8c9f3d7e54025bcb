"""The LoRA adapter that is trained: TRL's settings of it, held against the model before PEFT sees them.

>>> from trl import ModelConfig
>>> lora_config(ModelConfig(use_peft=True, lora_target_modules=["q_proj"]), model).target_modules
['q_proj']
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from typing import cast

from peft import LoraConfig
from torch.nn import Linear, Module
from transformers.pytorch_utils import Conv1D
from trl import ModelConfig, get_peft_config

from stepalign.core.errors import ConfigError, suggest

ALL_LINEAR = "all-linear"  # PEFT's word for every one


def lora_config(settings: ModelConfig, model: Module) -> LoraConfig | None:
    """PEFT's configuration of the adapter; None where none is asked for.

    TRL makes a pattern of a list of one name, and PEFT matches a pattern against a module's whole path: a plain name is
    made a list again.

    Raises:
        ConfigError: no layer of the model is meant. Names that some models have and this one has not are warned of.
    """
    config = cast("LoraConfig | None", get_peft_config(settings))
    if config is None:
        return None
    targets = config.target_modules
    if isinstance(targets, str) and re.fullmatch(r"[\w.]+", targets):
        targets = config.target_modules = [targets]
    if targets is not None and targets != ALL_LINEAR:
        _check(targets, {path: module for path, module in model.named_modules() if path})
    return config


def _check(targets: str | Iterable[str], modules: Mapping[str, Module]) -> None:
    layers = {path for path, module in modules.items() if next(module.children(), None) is None}
    names = {path.split(".")[-1] for path in layers if isinstance(modules[path], Linear | Conv1D)}
    wanted = [targets] if isinstance(targets, str) else sorted(targets)
    found = {target: any(_is_meant(path, target, isinstance(targets, str)) for path in layers) for target in wanted}
    missing = [target for target in wanted if not found[target]]
    if not wanted:
        raise ConfigError(
            f"lora_target_modules: got an empty list; expected layers such as {', '.join(sorted(names))}."
        )
    if missing:
        said = f"the model has no layer {', '.join(missing)}{suggest(missing[0], names)}"
        if len(missing) == len(wanted):
            raise ConfigError(f"lora_target_modules: {said}")
        warnings.warn(f"lora_target_modules: the other layers are trained alone, since {said}", stacklevel=2)


def _is_meant(path: str, target: str, is_pattern: bool) -> bool:
    return bool(re.fullmatch(target, path)) if is_pattern else f".{path}".endswith(f".{target}")
