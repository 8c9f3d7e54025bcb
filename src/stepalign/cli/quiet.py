"""What comes to the console: no warnings and bars of libraries that a user of this program can do nothing about, and
no end of a run because a console lacks a character."""

from __future__ import annotations

import io
import sys
import warnings


def lose_characters_not_runs() -> None:
    """Let a console that has no sign for a character (LANG=C, an old code page) print a question mark instead."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != "replace":
            stream.reconfigure(errors="replace")


def quieten() -> None:
    """Silence deprecation notices between libraries and the bars of loading and saving weights."""
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    warnings.filterwarnings("ignore", message=".*experimental.*", module="trl")
    from huggingface_hub.utils import disable_progress_bars
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    disable_progress_bars()
