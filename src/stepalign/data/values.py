"""Values as files, tables and Python hold them: as text where text is wanted, else as JSON can hold them.

>>> number_text(Decimal("2.50"))              # decimals keep their digits
'2.50'
>>> number_text(1e-7)                         # as a person writes it
'0.0000001'
>>> plain({"when": date(2024, 1, 2)})
{'when': '2024-01-02'}
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any


def number_text(value: object) -> str | None:
    """The text of a number, a date or a time; None for anything else, truth values and NaN included."""
    value = unboxed(value)
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal):
        if not math.isfinite(value):
            return None
        text = str(value)
        return format(Decimal(text), "f") if "e" in text.lower() else text
    return value.isoformat() if isinstance(value, date | time) else None


def unboxed(value: Any) -> Any:
    """A value of numpy as Python's own, an array as a list; anything else as it is."""
    if type(value).__module__ == "numpy":
        return value.tolist()
    return value


def plain(value: Any) -> Any:
    """The value as JSON can hold it; what it cannot becomes text."""
    value = unboxed(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str | int | None) or (isinstance(value, float) and math.isfinite(value)):
        return value
    text = number_text(value)
    return str(value) if text is None else text
