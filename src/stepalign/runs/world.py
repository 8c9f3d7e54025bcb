"""Which world a run's numbers are from: the constructed micro world, or the user's own models and problems.

A run writes it down when it begins, under the key `world` of its settings; afterwards it is read, never guessed.

    >>> world_of({"world": "micro"})
    'micro'
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

World = Literal["micro", "own"]
WORLD = "world"  # the key
MICRO: World = "micro"
OWN: World = "own"


def world_of(*configs: Mapping[str, object]) -> World:
    """`MICRO` or `OWN`, by the first of a run's configurations that says it.

    Runs of version 0.1.0 do not say it: theirs is the micro world where the model or the problems are named after it,
    or the training problems were made, not given.
    """
    said = [config[WORLD] for config in configs if config.get(WORLD) in (MICRO, OWN)]
    if said:
        return MICRO if said[0] == MICRO else OWN
    names = [str(config.get(key, "")) for config in configs for key in ("model", "model_name_or_path", "problems")]
    made = any("train_problems" in config and not config["train_problems"] for config in configs)
    named = any(name.split(":")[0] == MICRO or "stepalign/micro" in name for name in names)
    return MICRO if made or named else OWN
