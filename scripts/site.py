"""The pages of the site that are made from the code: one a command, and those of the Python names.

>>> sorted(command_pages())[:3]
['command-cache.rst', 'command-compare.rst', 'command-critique.rst']
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib import import_module
from io import StringIO

WIDTH = "100"  # columns of what a command prints
GROUPS: Mapping[str, tuple[str, ...]] = {  # of the names in the package itself
    "Commands as functions": (
        *("train", "compare", "evaluate", "grade", "critique", "preflight", "curate", "inspect_case", "localize"),
    ),
    "Data": ("load_problems", "load_samples", "Problem", "Rollout", "Grade", "Outcome"),
    "Traces and critiques": ("parse_trace", "Trace", "Critique", "CritiqueStep", "Context"),
    "Answers": ("extract_answer", "grade_answer"),
    "Feedback": ("FeedbackFormat", "register_feedback", "build_context"),
    "Training": ("SelfDistillationTrainer", "SelfDistillationConfig"),
}
MODULES: Mapping[str, str] = {  # further ones, by what they are for
    "stepalign.integrations.trl": "Inside TRL's trainers",
    "stepalign.maths.divergence": "Divergences",
    "stepalign.maths.intervals": "Intervals",
}
FIELDS = ("SelfDistillationConfig",)  # TRL's own settings are hundreds: the class alone


def command_pages() -> dict[str, str]:
    """By file name: what each command's `--help` and `--help_all` print."""
    from stepalign.cli.main import COMMANDS

    pages = {
        f"command-{name}.rst": "\n".join(
            [
                *_title(f"stepalign {name}"),
                f"{command.help[0].upper()}{command.help[1:]}.",
                "",
                *_block(_said(name, "--help_all") or _said(name, "--help")),
            ]
        )
        for name, command in COMMANDS.items()
    }
    return pages


def api_pages() -> dict[str, str]:
    """By file name: the public names of the package, and those modules that are used by themselves."""
    lines = [*_title("From Python"), "Everything here is a name of ``stepalign`` itself.", ""]
    for title, names in GROUPS.items():
        lines += [title, "-" * len(title), ""]
        for name in names:
            lines += [_directive(name), ""]
    pages = {"python.rst": "\n".join(lines)}
    for module, title in MODULES.items():
        text = [*_title(title), f".. automodule:: {module}", "   :members:", ""]
        pages[f"{module}.rst"] = "\n".join(text)
    return pages


def _directive(name: str) -> str:
    import stepalign

    found = getattr(stepalign, name)
    if not isinstance(found, type):
        return f".. autofunction:: stepalign.{name}"
    members = "" if name in FIELDS else "\n   :members:"
    return f".. autoclass:: stepalign.{name}{members}"


def _said(*words: str) -> str:
    """What the command prints, at one width wherever the site is built."""
    main = import_module("stepalign.cli.main").main
    shown, before = StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = WIDTH
    try:
        with redirect_stdout(shown), redirect_stderr(StringIO()), suppress(SystemExit):
            main([*words])
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return shown.getvalue()


def _title(text: str) -> list[str]:
    return [text, "=" * len(text), ""]


def _block(text: str) -> list[str]:
    return [".. code-block:: text", "", *(f"   {line}".rstrip() for line in text.splitlines()), ""]
