"""The LoRA adapter that is trained: TRL's settings of it, held against the model before PEFT sees them.

>>> from trl import ModelConfig
>>> lora_config(ModelConfig(use_peft=True, lora_target_modules=["q_proj"]), model).target_modules
['q_proj']
"""

from __future__ import annotations

import re
from typing import cast

from peft import LoraConfig
from torch.nn import Linear, Module
from trl import ModelConfig, get_peft_config

from stepalign.core.errors import ConfigError, suggest


def lora_config(settings: ModelConfig, model: Module) -> LoraConfig | None:
    """PEFT's configuration of the adapter; None where none is asked for.

    TRL makes a pattern of a list of one name, and PEFT matches a pattern against a module's whole path: a plain name is
    made a list again.

    Raises:
        ConfigError: no module of the model has one of the names.
    """
    config = cast("LoraConfig | None", get_peft_config(settings))
    if config is None:
        return None
    targets = config.target_modules
    if isinstance(targets, str) and re.fullmatch(r"[\w.]+", targets):
        targets = config.target_modules = [targets]
    if isinstance(targets, set | list):
        paths = [path for path, _ in model.named_modules()]
        if not any(f".{path}".endswith(f".{target}") for path in paths for target in targets):
            linear = {path.split(".")[-1] for path, module in model.named_modules() if isinstance(module, Linear)}
            wanted = sorted(map(str, targets))
            raise ConfigError(
                f"lora_target_modules: the model has no module named {', '.join(wanted)}{suggest(wanted[0], linear)}"
            )
    return config
