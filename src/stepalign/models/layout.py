"""A rollout's tokens as text and in steps: what a token map shows, and what per-token numbers are grouped by.

>>> texts, steps = layout(tokenizer, rollout)
>>> texts[2:5], steps[2:5]
(['>', 'Now ', 'add '], [None, 1, 1])
"""

from __future__ import annotations

from typing import Any, NamedTuple

from stepalign.core.rollout import Rollout
from stepalign.core.spans import token_offsets, token_steps
from stepalign.core.trace import parse_trace


class Layout(NamedTuple):
    """`texts` joined are the response with its special tokens; `steps` count from 1, None in tags, gaps and answer."""

    texts: list[str]
    steps: list[int | None]


def layout(tokenizer: Any, rollout: Rollout) -> Layout:
    """Text and step of each sampled token, the end-of-sequence token included."""
    ids = list(rollout.token_ids)
    text = tokenizer.decode(ids, skip_special_tokens=False)
    offsets = token_offsets(tokenizer, ids)
    # a special token at the end belongs to no step; elsewhere only the full text fits the offsets
    trace = parse_trace(rollout.text if text.startswith(rollout.text) else text)
    # tokens that are bytes of one character share its span: the first shows it
    texts = ["" if i and span == offsets[i - 1] else text[slice(*span)] for i, span in enumerate(offsets)]
    return Layout(texts, token_steps(trace, offsets))
