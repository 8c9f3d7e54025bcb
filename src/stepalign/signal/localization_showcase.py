"""The rollouts that a localization shows token by token: `signal.json`, chosen by a rule before anybody looked.

Of the rollouts that have a context under most formats: in the order of the labels, the first with its error in the
second step, the third and the fourth or later, each, and the first without a wrong step; where none of these is there,
the first that goes wrong in its first step.

"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stepalign.core.files import stream_jsonl, write_json
from stepalign.data.label import Label
from stepalign.runs import files
from stepalign.runs.rows import SignalRow
from stepalign.signal.preflight_records import Key, Row, key_in, key_of

DIGITS = 4  # of A_t in the file
LAST_PLACE = 4  # errors from this step on count as one place
KINDS = {None: "correct", 1: "wrong_approach"}  # by the first wrong step; else wrong_step


def write_showcase(directory: Path, labels: Sequence[Label], names: Sequence[str]) -> None:
    """Write `signal.json` from what scoring left in the directory."""
    scored: dict[Key, set[str]] = {}
    for row in stream_jsonl(directory / files.SCORES):
        if row["status"] == "ok" and row["format"] in names:
            scored.setdefault(key_in(row), set()).add(row["format"])
    chosen = choose(labels, {key: len(formats) for key, formats in scored.items()})
    keys = {key_of(label.rollout) for label in chosen}
    tokens = {key_in(row): row for row in stream_jsonl(directory / files.TOKENS) if key_in(row) in keys}
    advantages: dict[Key, dict[str, Any]] = {key: {} for key in keys}
    for row in stream_jsonl(directory / files.SCORES):
        if key_in(row) in keys and row["status"] == "ok" and row["format"] in names:
            advantages[key_in(row)][row["format"]] = row["advantage"]
    rows = [_row(label, tokens[key_of(label.rollout)], advantages[key_of(label.rollout)], names) for label in chosen]
    write_json(directory / files.SIGNAL, {"conditions": list(names), "rollouts": [row.to_json() for row in rows]})


def choose(labels: Sequence[Label], num_formats: Mapping[Key, int]) -> list[Label]:
    """The rollouts to show; `num_formats`: under how many formats each has been scored."""
    most = max(num_formats.values(), default=0)
    found: dict[int | None, Label] = {}
    for label in labels:
        if num_formats.get(key_of(label.rollout), 0) == most > 0:
            wrong = label.first_wrong_step
            found.setdefault(None if wrong is None else min(wrong, LAST_PLACE), label)
    shown = [found[place] for place in (*range(2, LAST_PLACE + 1), None) if place in found]
    return shown or list(found.values())


def _row(label: Label, tokens: Row, advantages: Mapping[str, Sequence[float]], names: Sequence[str]) -> SignalRow:
    rollout, wrong = label.rollout, label.first_wrong_step
    return SignalRow(
        kind=KINDS.get(wrong, "wrong_step"),
        problem_id=rollout.problem.id,
        sample=rollout.sample,
        step=None,
        case=None,
        first_wrong_step=wrong,
        text=rollout.text,
        tokens=tokens["tokens"],
        token_steps=tokens["token_steps"],
        contexts={n: {"advantage": [round(a, DIGITS) for a in advantages[n]]} for n in names if n in advantages},
    )
