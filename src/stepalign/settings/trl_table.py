"""The settings that TRL and Hugging Face declare, from a table in the package: name, default and help of each.

The table is written by `python -m scripts.trl_table` from the installed TRL and held against it by a test, so that
`--help` and the check for typos need neither TRL nor torch.

    >>> [entry.default for entry in trl_settings() if entry.name == "adam_beta1"]
    ['0.9']
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).parent / "trl_settings.json"


class TrlSetting(NamedTuple):
    """One setting. `flags` are its other spellings, such as --no_gradient_checkpointing."""

    name: str
    default: str
    help: str
    flags: list[str]


@lru_cache(maxsize=1)
def trl_settings() -> tuple[TrlSetting, ...]:
    """All of them, in the order of TRL's own help."""
    return tuple(TrlSetting(**row) for row in json.loads(TABLE.read_text(encoding="utf-8")))


def trl_names() -> dict[str, str]:
    """Each spelling of a setting and the setting that it belongs to."""
    return {spelling: entry.name for entry in trl_settings() for spelling in (entry.name, *entry.flags)}
