"""Names to models."""

from __future__ import annotations

from stepalign.core.errors import ConfigError
from stepalign.micro.problems import SOLVER_DIR

MICRO = "micro"


def resolve_model(name: object) -> str:
    """The directory or hub name of a model; `micro` is the shipped micro solver.

    Raises:
        ConfigError: no name.
    """
    if not name:
        raise ConfigError(
            "no model: set model_name_or_path to a directory, a hub name, or 'micro' (the shipped solver)."
        )
    return str(SOLVER_DIR) if name == MICRO else str(name)
