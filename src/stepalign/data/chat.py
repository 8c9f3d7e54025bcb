"""Conversations as rows hold them: a list of turns with role and content, or with from and value.

>>> turns_of([{"from": "human", "value": "2 + 2?"}, {"from": "gpt", "value": "4"}])
[('user', '2 + 2?'), ('assistant', '4')]
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any

from stepalign.data.row import Row
from stepalign.data.values import unboxed

ROLES = {
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "chatgpt"), "assistant"),
    "system": "system",
}


def turns_of(value: Any) -> list[tuple[str, Any]] | None:
    """Role and content of each turn; None where a value is no conversation. It may stand there as JSON, in a CSV."""
    if isinstance(value, str) and value.lstrip()[:1] != "[":
        return None
    value = _parsed(unboxed(value))
    if isinstance(value, Mapping):  # a list of objects as some tables hold it: an object of lists
        names = [name for name in ("role", "content", "from", "value") if isinstance(unboxed(value.get(name)), list)]
        value = [dict(zip(names, items, strict=False)) for items in zip(*(value[name] for name in names), strict=False)]
    if not isinstance(value, list | tuple) or not value or not all(isinstance(item, Mapping) for item in value):
        return None
    for role, content in (("role", "content"), ("from", "value")):
        if all(role in item and content in item for item in value):
            return [(ROLES.get(str(item[role]).casefold(), str(item[role])), item[content]) for item in value]
    return None


def turn(row: Row, key: str, turns: list[tuple[str, Any]], role: str) -> str:
    """The one turn of a role; the system's are passed over.

    Raises:
        DataError: no turn or several of that role, or one that is no text.
    """
    said = [content for who, content in turns if who == role]
    others = [who for who, _ in turns if who not in ("user", "assistant", "system")]
    if len(said) != 1 or others:
        got = f"a turn of '{others[0]}'" if others else f"{len(said)} turns of the {role}"
        raise row.error(f"'{key}' has {got}; expected one of the user and one of the assistant. Remove the line.")
    text = _text(said[0])
    if text is None or not text.strip():
        raise row.error(f"'{key}': the turn of the {role} has no text. Fill it in or remove the line.")
    return text


def _parsed(value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith(("[{", "[ {")):
        return value
    for parse in (json.loads, ast.literal_eval):  # tables written to CSV have Python's spelling
        try:
            return parse(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return value


def _text(content: Any) -> str | None:
    """A turn's text, which may come in parts; None where one of them is none, such as a picture."""
    content = unboxed(content)
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
        return "".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else None
    return content if isinstance(content, str) else None
