"""Evaluation mode for a while: no dropout, and afterwards each module is as it was.

>>> with evaluation_mode(model):
...     model.training
False
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TypeVar

from torch.nn import Module

AnyModule = TypeVar("AnyModule", bound=Module)


@contextmanager
def evaluation_mode(model: AnyModule) -> Generator[AnyModule]:
    """The model, in evaluation mode for as long as the context is open."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield model
    finally:
        for module in training:
            module.training = True
