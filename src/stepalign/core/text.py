"""Text as it enters the program: characters that can be written, tokenized and sent, whatever a file or a server said.

Half of a surrogate pair is no character: JSON and YAML can spell it ("\\ud83d", a cut emoji), UTF-8 and tokenizers
cannot. Two halves that belong together become the character they stand for, one that stands alone becomes U+FFFD.
Problems, responses, critiques, contexts and replies are cleaned when they are made, so no reader of a file and no
command has to think of it.

    >>> ascii(clean_text("a cut \\ud83d and a whole \\ud83d\\ude00"))
    "'a cut \\\\ufffd and a whole \\\\U0001f600'"
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar, cast

HALF_PAIR = re.compile("[\ud800-\udfff]")
T = TypeVar("T")


def clean_text(text: str) -> str:
    """The text with no half of a surrogate pair in it; the very same object where there was none."""
    if text.isascii() or not HALF_PAIR.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def clean_value(value: T) -> T:
    """A value of JSON or YAML with all its texts clean; the very same object where they were."""
    if isinstance(value, str):
        return cast("T", clean_text(value))
    if isinstance(value, list):
        items = cast("list[object]", value)
        cleaned = [clean_value(item) for item in items]
        return cast("T", items if all(a is b for a, b in zip(cleaned, items, strict=True)) else cleaned)
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value)
        entries = {clean_value(key): clean_value(item) for key, item in pairs.items()}
        is_same = len(entries) == len(pairs) and all(k in pairs and pairs[k] is v for k, v in entries.items())
        return cast("T", pairs if is_same else entries)
    return value


def parse_json(data: str | bytes) -> Any:
    """The value of a JSON text, clean.

    Raises:
        ValueError, RecursionError: as `json.loads`, which also takes bytes that UTF-8 has not for half a pair.
    """
    value = json.loads(data)
    if isinstance(data, str):
        may_hold_halves = "\\u" in data or not data.isascii()
    else:
        may_hold_halves = b"\\u" in data or b"\xed" in data  # 0xED begins what UTF-8 would spell them with
    return clean_value(value) if may_hold_halves else value


def clean_fields(record: object, *names: str) -> None:
    """Clean these fields of a frozen dataclass, from its `__post_init__`; those that hold no text are left."""
    for name in names:
        value: object = getattr(record, name)
        if isinstance(value, str):
            cleaned = clean_text(value)
            if cleaned is not value:
                object.__setattr__(record, name, cleaned)
