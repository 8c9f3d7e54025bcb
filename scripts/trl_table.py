"""Write the table of the settings that TRL and Hugging Face declare: `python -m scripts.trl_table`.

Run it after TRL or transformers change; tests/settings/test_trl_table.py says when it is stale.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from trl import ModelConfig, TrlParser

from stepalign.core.settings import names_of
from stepalign.settings.groups import LossSettings
from stepalign.settings.trainer import SelfDistillationConfig
from stepalign.settings.trl_table import TABLE


def rows() -> list[dict[str, Any]]:
    """A row a setting that TRL's parser knows and that is not declared here."""
    kinds: tuple[Any, ...] = (SelfDistillationConfig, ModelConfig)
    parser = TrlParser(list(kinds))
    spellings: dict[str, list[str]] = {}
    for action in parser._actions:
        spellings.setdefault(action.dest, []).extend(o.lstrip("-").replace("-", "_") for o in action.option_strings)
    own = names_of(LossSettings)
    return [
        {
            "name": f.name,
            "default": _default(f),
            "help": " ".join(str(f.metadata.get("help", "")).replace("%%", "%").split()),
            "flags": sorted({*spellings.get(f.name, [])} - {f.name}),
        }
        for kind in kinds
        for f in dataclasses.fields(kind)
        if f.init and f.name not in own
    ]


def _default(f: dataclasses.Field[Any]) -> str:
    value = f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default
    return "required" if value is dataclasses.MISSING else "none" if value is None else str(value)


if __name__ == "__main__":
    TABLE.write_text(json.dumps(rows(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{TABLE}: {len(rows())} settings")
