"""Rows in a value of JSON, however it is laid out.

>>> rows_in({"version": 2, "data": [{"problem": "2 + 2?", "answer": 4}]})
[{'problem': '2 + 2?', 'answer': 4}]
>>> rows_in({"problem": ["2 + 2?"], "answer": [4]})
[{'problem': '2 + 2?', 'answer': 4}]
"""

from __future__ import annotations

import json
from typing import Any

from stepalign.data.chat import turns_of
from stepalign.data.columns import plain_name

PROBLEM = ("problem", "question", "prompt")  # an object with one of these is a row
TABLES = ("data", "rows", "examples", "problems", "items", "records", "samples")  # which of several lists has the rows


def values_in(text: str) -> Any:
    """The value of a text of JSON; a list of them where several follow each other."""
    decoder = json.JSONDecoder()
    values: list[Any] = []
    at, end = len(text) - len(text.lstrip()), len(text.rstrip())
    while at < end:
        value, at = decoder.raw_decode(text, at)
        values.append(value)
        while at < end and text[at].isspace():
            at += 1
    return values[0] if len(values) == 1 else values


def rows_in(value: Any) -> list[Any] | str:
    """The rows in a JSON value, or why there are none.

    A list has them; so has an object with one list, with a list a column, or with an object a row; else it is a row.
    """
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return f"got a {type(value).__name__}"
    if not value:
        return "got a dict; expected a list"
    lists = {
        key: item
        for key, item in value.items()
        if isinstance(item, list) and item and isinstance(item[0], dict) and not turns_of(item)
    }
    if any(turns_of(item) or (isinstance(item, str) and plain_name(key) in PROBLEM) for key, item in value.items()):
        return [value]
    if lists:
        known = [key for key in TABLES if key in lists][:1] if len(lists) > 1 else list(lists)
        return lists[known[0]] if known else f"got an object with several lists ({', '.join(lists)})"
    columns = list(value.values())
    if all(isinstance(item, list) for item in columns) and len({len(item) for item in columns}) == 1 and not lists:
        return [dict(zip(value, items, strict=True)) for items in zip(*columns, strict=True)]
    if all(isinstance(item, dict) for item in columns):
        if all(item.keys() == columns[0].keys() and all(key.isdigit() for key in item) for item in columns):
            return [{name: column[key] for name, column in value.items()} for key in columns[0]]  # a pandas table
        if len(columns) > 1:
            return [{"id": key, **item} for key, item in value.items()]
    return [value]


def is_row(value: Any) -> bool:
    """Whether a value is one row by itself."""
    rows = rows_in(value)
    return isinstance(rows, list) and len(rows) == 1 and rows[0] is value
