"""The settings of `stepalign preflight` alone."""

from __future__ import annotations

from dataclasses import dataclass

from stepalign.comparison.compare import CompareArguments
from stepalign.core.settings import setting


@dataclass
class PreflightArguments(CompareArguments):
    """What is tried. Recipes of `train` and `compare` are accepted whole; what they say beyond this has no effect."""

    conditions: list[str] = setting(["refsol", "stepalign"], "Feedback formats to try; grpo has none and is left out.")
    problems: str | None = setting(
        None, "JSONL of problems to try them on; none: train_problems, else training problems of the micro world."
    )
    num_problems: int = setting(32, "Problems, drawn at random (by seed) from those given; all, where there are fewer.")
    num_samples: int = setting(4, "Rollouts a problem. The teacher is sampled once for each.")
