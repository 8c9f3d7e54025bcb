"""One way to declare a setting: a dataclass field with its default and its one docstring.

>>> from dataclasses import dataclass
>>> @dataclass
... class MyArguments:
...     num_samples: int = setting(12, "Responses sampled for each problem.")
>>> MyArguments().num_samples
12
"""

from __future__ import annotations

from dataclasses import field
from typing import Any, cast


def setting(default: Any, help: str) -> Any:
    """A dataclass field; lists and dicts are copied for each instance. `help` is what `--help` shows."""
    if isinstance(default, list | dict):
        template = cast("Any", default)
        return field(default_factory=template.copy, metadata={"help": help})
    return field(default=default, metadata={"help": help})
