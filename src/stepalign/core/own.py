"""What users bring along: functions and objects of their own, by name or handed over by Python code.

`mine.py:grade` is the function `grade` of the file mine.py, `package.module:grade` that of a module; modules may lie in
the current directory. What Python code hands over gets a name as well, so that settings hold names alone.

    >>> load_own("json:dumps", "critic")({"a": 1})
    '{"a": 1}'
    >>> load_own(name_of(len), "grader") is len
    True
"""

from __future__ import annotations

import importlib
import sys
from functools import reduce
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from stepalign.core.errors import ConfigError, last_line, suggest

MAIN = "__main__"  # a script or a notebook, which another process cannot import
_HANDED_OVER: dict[str, object] = {}
_FILES: dict[Path, tuple[int, ModuleType]] = {}  # with the time of the last change: an edited file is loaded anew


def load_own(name: str, what: str) -> object:
    """What "file.py:function" or "package.module:function" names, or what was handed over under this name.

    Args:
        name: as the setting has it.
        what: of which setting, to open the message.
    Raises:
        ConfigError: there is no such file, module or function, or it does not import.
    """
    if name in _HANDED_OVER:
        return _HANDED_OVER[name]
    place, _, attribute = name.rpartition(":")
    try:
        module = load_module(place)
    except Exception as error:
        raise ConfigError(
            f"{what} '{name}' cannot be loaded: {last_line(error)}. Expected file.py:function or "
            "package.module:function."
        ) from error
    try:
        return reduce(getattr, attribute.split("."), module)
    except AttributeError:
        there = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ConfigError(f"{what} '{name}': {place} has no '{attribute}'{suggest(attribute, there)}") from None


def load_module(place: str) -> ModuleType:
    """A module by its name or its `.py` file; both may import what lies beside them. Raises what importing raises."""
    is_file = place.endswith(".py")
    path = Path(place).expanduser().resolve()
    beside = str(path.parent if is_file else Path.cwd())
    if beside not in sys.path:
        sys.path.append(beside)  # last: a directory `datasets` there must not hide the library
    importlib.invalidate_caches()
    return _load_file(path) if is_file else importlib.import_module(place)


def name_of(own: object) -> str:
    """The name of what Python code hands over, under which `load_own` finds it in this process."""
    named = own if hasattr(own, "__qualname__") else type(own)
    name = f"{getattr(named, '__module__', None) or MAIN}:{getattr(named, '__qualname__', type(own).__name__)}"
    _HANDED_OVER[name] = own
    return name


def is_found_elsewhere(name: str) -> bool:
    """Whether another process can find it under its name, too: it was not handed over, or stands in a module."""
    if name not in _HANDED_OVER:
        return True
    place, _, attribute = name.rpartition(":")
    try:
        return place != MAIN and reduce(getattr, attribute.split("."), sys.modules[place]) is _HANDED_OVER[name]
    except (AttributeError, KeyError):
        return False


def _load_file(path: Path) -> ModuleType:
    changed = path.stat().st_mtime_ns
    if path in _FILES and _FILES[path][0] == changed:
        return _FILES[path][1]
    name = _module_name(path)
    spec = spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    _FILES[path] = changed, module
    return module


def _module_name(path: Path) -> str:
    """The file's own name, so that what lies beside it can import it, unless a library has it."""
    name = path.stem.replace(".", "_")
    if name in sys.modules:
        is_free = getattr(sys.modules[name], "__file__", None) == str(path)
    else:
        spec = find_spec(name)
        is_free = spec is None or spec.origin == str(path)
    return name if is_free else f"own_{name}"
