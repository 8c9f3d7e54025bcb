"""Results as a notebook shows them: a token map of an inspection, a table of rows. HTML without scripts.

>>> token_map({"tokens": ["2", " + 3"], "token_steps": [1, 1], "first_wrong_step": None, "contexts": {}})
''
>>> table([{"condition": "grpo", "avg@2": 0.25}])
'<table><thead><tr><th>condition</th><th>avg@2</th></tr></thead><tbody><tr><td>grpo</td><td>0.25</td></tr></tbody></table>'

Colours are those of the terminal: orange reinforces, purple suppresses, underlined too; from 5 nats on in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from stepalign.report.inspection.terminal import token_style
from stepalign.report.page.text import visible
from stepalign.report.token_text import first_wrong_token, values_of

MOST_ROWS = 20
MOST_COLUMNS = 12


def token_map(result: Mapping[str, Any]) -> str:
    """The response once under each context, each token on the colour of its A_t, which is said where one points at it.

    Args:
        result: what `advantage.json` holds.
    """
    return "".join(_one(result, name, context) for name, context in result["contexts"].items())


def _one(result: Mapping[str, Any], name: str, context: Mapping[str, Any]) -> str:
    wrong, pieces = first_wrong_token(result), list[str]()
    for i, (token, value) in enumerate(zip(result["tokens"], values_of(context), strict=True)):
        mark = '<b title="the first wrong step begins">▸</b>' if i == wrong else ""
        style = token_style(value)
        text = escape(visible(token))
        colour = "" if style is None or style.bgcolor is None else f"background:{style.bgcolor.name};color:#000"
        line = ";text-decoration:underline dotted" if style is not None and style.underline else ""
        pieces.append(f'{mark}<span title="A_t {value:+.2f} nats" style="{colour}{line}">{text}</span>')
    head = f"<b>{escape(visible(name))}</b>: A_t of each token"
    body = f'<pre style="white-space:pre-wrap;line-height:1.6">{"".join(pieces)}</pre>'
    return f"<div><p>{head}</p>{body}</div>"


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The first rows and columns as a table, and how many more there are."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    shown = columns[:MOST_COLUMNS]
    head = "".join(f"<th>{escape(str(name))}</th>" for name in shown)
    lines = ("".join(f"<td>{_cell(row.get(name))}</td>" for name in shown) for row in rows[:MOST_ROWS])
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    more = [
        f"{len(items) - most} more {what}"
        for items, most, what in ((rows, MOST_ROWS, "rows"), (columns, MOST_COLUMNS, "columns"))
        if len(items) > most
    ]
    note = f"<p>{' and '.join(more)} in to_pandas()</p>" if more else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return escape(visible(text if len(text) <= 80 else f"{text[:79]}…"))
