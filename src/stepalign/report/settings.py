"""What was the same for all conditions and what was not, from the configurations that the run itself wrote.

>>> comparison = compare_settings(run.seed_runs)
>>> comparison.same["learning_rate"], comparison.different["num_generations"]
('0.0001', {'grpo': '8', 'refsol': '1', 'stepalign': '1'})
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from stepalign.runs.reading import SeedRun

ABSENT = "(not set)"
FIRST = (
    "model",
    "model_name_or_path",
    "seed",
    "train_problems",
    "temperature",
    "max_new_tokens",
    "max_completion_length",
    "optim",
    "learning_rate",
    "lr_scheduler_type",
    "max_steps",
)


class Settings(NamedTuple):
    """`same`: value by key. `different`: value by condition by key. Several seeds give several values, joined."""

    same: dict[str, str]
    different: dict[str, dict[str, str]]


def compare_settings(seed_runs: Iterable[SeedRun]) -> Settings:
    """Compare the resolved configurations of the conditions key by key; a condition without one is left out."""
    configs: dict[str, list[dict[str, str]]] = {}
    for seed_run in seed_runs:
        if seed_run.config:
            configs.setdefault(seed_run.condition, []).append(flatten(seed_run.config))
    # where a condition is written says nothing about it
    keys = sorted({k for s in configs.values() for c in s for k in c if not k.endswith("_dir") and k != "run_name"})
    same: dict[str, str] = {}
    different: dict[str, dict[str, str]] = {}
    for key in keys:
        values = {
            name: ", ".join(dict.fromkeys(config.get(key, ABSENT) for config in seeds))
            for name, seeds in configs.items()
        }
        if len(set(values.values())) == 1:
            same[key] = next(iter(values.values()))
        else:
            different[key] = values
    return Settings(same, different)


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as one level with dotted keys, values as text."""
    result: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, dict) and value:
            result |= flatten(value, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = "null" if value is None else str(value)
    return result


def in_words(settings: Settings) -> str:
    """The shared settings that a reader asks for first."""
    known = [f"{key} {settings.same[key]}" for key in FIRST if key in settings.same]
    return ", ".join(known)
