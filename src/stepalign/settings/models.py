"""Names to models."""

from __future__ import annotations

import logging
from typing import NamedTuple

from stepalign.core.errors import ConfigError, ModelError
from stepalign.micro.code.problems import CODE_SOLVER_DIR
from stepalign.micro.problems import SOLVER_DIR
from stepalign.micro.worlds import CODE
from stepalign.models.loading import ADAPTER, check_model, is_adapter
from stepalign.models.weights import base_of

log = logging.getLogger(__name__)

MICRO, MICRO_CODE = "micro", "micro-code"
SHIPPED = {MICRO: SOLVER_DIR, MICRO_CODE: CODE_SOLVER_DIR}


class ModelNames(NamedTuple):
    """A model and perhaps an adapter for it: directories, GGUF files or hub names."""

    model: str
    adapter: str | None


def resolve_model(name: object) -> str:
    """The directory, GGUF file or hub name of a model; `micro` and `micro-code` are the shipped micro solvers.

    Raises:
        ConfigError: no name.
    """
    if not name:
        raise ConfigError(
            "no model: set model_name_or_path to a directory, a GGUF file, a hub name, or one of the shipped solvers, "
            "micro and micro-code."
        )
    return str(SHIPPED.get(str(name), name))


def micro_model(world: str) -> str:
    """What the shipped solver of a micro world is called."""
    return MICRO_CODE if world == CODE else MICRO


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
