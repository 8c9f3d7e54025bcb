"""Quiet logs: warnings and bars of libraries that a user of this program can do nothing about."""

from __future__ import annotations

import warnings


def quieten() -> None:
    """Silence deprecation notices between libraries and the bars of loading and saving weights."""
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    warnings.filterwarnings("ignore", message=".*experimental.*", module="trl")
    from huggingface_hub.utils import disable_progress_bars
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    disable_progress_bars()
