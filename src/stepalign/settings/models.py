"""Names to models."""

from __future__ import annotations

import logging
from typing import NamedTuple

from stepalign.core.errors import ConfigError, ModelError
from stepalign.micro.problems import SOLVER_DIR
from stepalign.models.loading import ADAPTER, check_model, is_adapter
from stepalign.models.weights import base_of

log = logging.getLogger(__name__)

MICRO = "micro"


class ModelNames(NamedTuple):
    """A model and perhaps an adapter for it: directories, GGUF files or hub names."""

    model: str
    adapter: str | None


def resolve_model(name: object) -> str:
    """The directory, GGUF file or hub name of a model; `micro` is the shipped micro solver.

    Raises:
        ConfigError: no name.
    """
    if not name:
        raise ConfigError(
            "no model: set model_name_or_path to a directory, a GGUF file, a hub name, or 'micro' (the shipped solver)."
        )
    return str(SOLVER_DIR) if name == MICRO else str(name)


def resolve_with_adapter(name: object, adapter: str | None) -> ModelNames:
    """A model and its adapter, each found to be there; a model that is an adapter's directory is split into the two.

    Raises:
        ConfigError: no name.
        ModelError: no such model or adapter, or the base of an adapter is not there.
    """
    model = resolve_model(name)
    if adapter is None and is_adapter(model):
        base, adapter = base_of(model), model
        if base is None:
            raise ModelError(
                f"'{adapter}' is an adapter and does not say of which model. Give both: --model --adapter."
            )
        log.warning("'%s' is an adapter; its base is '%s'", adapter, base)
        try:
            check_model(base)
        except ModelError as error:
            raise ModelError(
                f"'{adapter}' is an adapter, and its base is not there: {error} Give both: --model BASE --adapter DIR."
            ) from None
        model = base
    check_model(model)
    if adapter is not None:
        check_model(adapter, marker=ADAPTER)
    return ModelNames(model, adapter)
