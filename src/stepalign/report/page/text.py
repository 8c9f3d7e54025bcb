"""Model output and file contents made safe and visible before they enter the page.

What a browser would act on or hide is written out: control characters, bidirectional controls, zero-width characters,
tag characters and lone surrogates become `⟨U+202E⟩` and the like. Escaping for HTML and JSON is done where the page is
built; after `visible` there is nothing left that could reorder or hide text.

    >>> visible("safe\\u202etxt.exe")
    'safe⟨U+202E⟩txt.exe'
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

# Left alone: tab, newline, and the two joiners (U+200C, U+200D) that emoji and several scripts are written with.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """The text with every invisible or reordering character written as its code point."""
    return INVISIBLE.sub(lambda match: f"⟨U+{ord(match.group()):04X}⟩", text.replace("\r\n", "\n"))


def clean(value: object) -> Any:
    """A JSON value with all its text `visible` and NaN and infinities, which JSON has no word for, as None."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(str(key)): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float | None) else visible(str(value))


def script_json(value: object) -> str:
    """JSON that is safe inside a `<script>` element: no `<`, `>` or `&`, so no tag can begin or end in it."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
