"""What a judge writes of a program: the outcome, and where it is not right the type, message, line and test."""

from __future__ import annotations

from typing import Any, cast

MAX_CHARS = 1000  # of a message or a test
Verdict = dict[str, Any]


def failed(kind: str, message: str, *, outcome: str = "error", line: object = None) -> Verdict:
    """A verdict with its reason; the line only where it is a number."""
    known = line if type(line) is int and line > 0 else None
    return {"outcome": outcome, "type": kind, "message": cut(message), "line": known}


def failure_of(told: object) -> Verdict:
    """The verdict on an exception as the program told of it, which may be anything."""
    said = cast("dict[str, object]", told) if isinstance(told, dict) else {}
    kind, message, builtin = (str(said.get(key, "")) for key in ("type", "message", "builtin"))
    if builtin == "MemoryError":
        return failed("MemoryError", message, outcome="memory", line=said.get("line"))
    return failed(kind[:100] or "Exception", message, line=said.get("line"))


def cut(text: str) -> str:
    """A text that is no longer than it may be."""
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}…"
