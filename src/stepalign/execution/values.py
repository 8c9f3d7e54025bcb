"""Values between a program and its judge: copies of builtin types only, so that no method of the program comes along.

An object whose `__eq__` always holds arrives as a reference that equals nothing but itself; a subclass of a builtin
type arrives as that type. What a reader makes of the bytes depends on nothing but the bytes (no pickle).

    >>> wire = write_value({"a": (1, 2.5)}, unknown=repr)
    >>> wire
    {'dict': [['a', {'tuple': [1, 2.5]}]]}
    >>> read_value(wire, {})
    {'a': (1, 2.5)}
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple, cast

PLAIN = frozenset({str, bool, float, int, type(None)})  # as JSON has them
MAX_BITS = 10_000  # of a whole number written in digits: Python refuses to read longer ones


class _Kind(NamedTuple):
    base: type
    name: str
    parts: Callable[[Any], Any]  # by the methods of the base, not those of a subclass
    make: Callable[[Any], Any]
    has_items: bool = False  # the parts are values themselves


def _pairs(items: Iterable[Any]) -> list[Any]:
    return [list(pair) for pair in items]


def _items(value: Iterable[Any]) -> list[Any]:
    return list(value)


def _read_hex(texts: Iterable[str]) -> list[int]:
    return [int(text, 16) for text in texts]


_KINDS = (
    _Kind(int, "int", lambda v: hex(int.__int__(v)), lambda v: int(v, 16)),
    _Kind(float, "float", float.__repr__, float),
    _Kind(str, "str", str.__str__, str),
    _Kind(tuple, "tuple", lambda v: _items(tuple.__iter__(v)), tuple, True),
    _Kind(list, "list", lambda v: _items(list.__iter__(v)), list, True),
    _Kind(Counter, "Counter", lambda v: _pairs(dict.items(v)), lambda v: Counter(dict(v)), True),
    _Kind(OrderedDict, "OrderedDict", lambda v: _pairs(OrderedDict.items(v)), OrderedDict, True),
    _Kind(dict, "dict", lambda v: _pairs(dict.items(v)), dict, True),
    _Kind(set, "set", lambda v: _items(set.__iter__(v)), set, True),
    _Kind(frozenset, "frozenset", lambda v: _items(frozenset.__iter__(v)), frozenset, True),
    _Kind(deque, "deque", lambda v: _items(deque.__iter__(v)), deque, True),
    _Kind(bytes, "bytes", bytes.hex, bytes.fromhex),
    _Kind(bytearray, "bytearray", bytearray.hex, bytearray.fromhex),
    _Kind(complex, "complex", lambda v: [repr(v.real), repr(v.imag)], lambda v: complex(float(v[0]), float(v[1]))),
    _Kind(range, "range", lambda v: [*map(hex, (v.start, v.stop, v.step))], lambda v: range(*_read_hex(v))),
    _Kind(Decimal, "Decimal", Decimal.__str__, Decimal),
    _Kind(Fraction, "Fraction", lambda v: [*map(hex, v.as_integer_ratio())], lambda v: Fraction(*_read_hex(v))),
    _Kind(dt.datetime, "datetime", dt.datetime.isoformat, dt.datetime.fromisoformat),
    _Kind(dt.date, "date", dt.date.isoformat, dt.date.fromisoformat),
    _Kind(dt.time, "time", dt.time.isoformat, dt.time.fromisoformat),
    _Kind(dt.timedelta, "timedelta", lambda v: [v.days, v.seconds, v.microseconds], lambda v: dt.timedelta(*v)),
)  # fmt: skip
_BY_TYPE = {kind.base: kind for kind in _KINDS}
_BY_NAME = {kind.name: kind for kind in _KINDS}
MUTABLE = (list, dict, set, bytearray, deque)


def write_value(value: object, unknown: Callable[[object], Any]) -> Any:
    """The value as JSON can hold it.

    Args:
        unknown: what stands for an object of any other type.
    Raises:
        RecursionError: it holds itself, or is nested too deeply.
    """
    own = type(value)
    if own in PLAIN:
        return {"int": hex(cast("int", value))} if own is int and _is_long(value) else value
    if own is list:
        items = cast("list[object]", value)
        if PLAIN.issuperset(map(type, items)) and not any(type(item) is int and _is_long(item) for item in items):
            return items
        return [write_value(item, unknown) for item in items]
    kind = _BY_TYPE.get(own) or next((kind for kind in _KINDS if kind.base in own.__mro__), None)
    if kind is None:
        is_number = own.__module__ == "numpy" and getattr(value, "shape", None) == ()
        return write_value(cast("Any", value).item(), unknown) if is_number else unknown(value)
    parts = kind.parts(value)
    if kind.name == "list":
        return [write_value(item, unknown) for item in parts]
    return {kind.name: [write_value(part, unknown) for part in parts] if kind.has_items else parts}


def read_value(wire: Any, known: Mapping[str, Callable[[Any], object]]) -> Any:
    """The value that was written.

    Args:
        known: for what stands for objects of other types, by its key.
    Raises:
        ValueError, TypeError, KeyError, ArithmeticError, RecursionError: nothing that `write_value` wrote.
    """
    if type(wire) is list:
        items = cast("list[Any]", wire)
        return items.copy() if PLAIN.issuperset(map(type, items)) else [read_value(item, known) for item in items]
    if type(wire) is not dict:
        return wire
    ((name, parts),) = cast("dict[str, Any]", wire).items()
    if name in known:
        return known[name](parts)
    kind = _BY_NAME[name]
    return kind.make([read_value(part, known) for part in parts] if kind.has_items else parts)


def _is_long(number: Any) -> bool:
    return number.bit_length() > MAX_BITS
