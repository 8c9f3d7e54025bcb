"""Where each token lies in the text, for any fast Hugging Face tokenizer and token ids exactly as they were sampled.

Sampled ids need not be the ids that the tokenizer gives for the decoded text, so offsets come from decoding the ids
themselves, with a short window, as streaming servers do.

    >>> from stepalign.core.trace import parse_trace
    >>> ids = tokenizer.encode("<step_1>So 8.</step_1>", add_special_tokens=False)
    >>> token_steps(parse_trace(tokenizer.decode(ids)), token_offsets(tokenizer, ids))
    [None, None, None, 1, 1, 1, None, None, None]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stepalign.core.rollout import Rollout
from stepalign.core.tokenizer import Tokenizer
from stepalign.core.trace import Trace, parse_trace

WINDOW = 6  # tokens decoded before the current one; merges and spaces depend on near neighbours only


class RolloutTokens(NamedTuple):
    """`texts` joined are the response with its special tokens; `steps` count from 1, None in tags, gaps and answer."""

    texts: list[str]
    steps: list[int | None]


def rollout_tokens(tokenizer: Tokenizer, rollout: Rollout) -> RolloutTokens:
    """Text and step of each sampled token, the end-of-sequence token included."""
    ids = list(rollout.token_ids)
    text = tokenizer.decode(ids, skip_special_tokens=False)
    offsets = token_offsets(tokenizer, ids)
    # a special token at the end belongs to no step; elsewhere only the full text fits the offsets
    trace = parse_trace(rollout.text if text.startswith(rollout.text) else text)
    # tokens that are bytes of one character share its span: the first shows it
    texts = ["" if i and span == offsets[i - 1] else text[slice(*span)] for i, span in enumerate(offsets)]
    return RolloutTokens(texts, token_steps(trace, offsets))


def token_offsets(tokenizer: Tokenizer, token_ids: Sequence[int]) -> list[tuple[int, int]]:
    """Character span of each token in `tokenizer.decode(token_ids)`, special tokens included in the text.

    Tokens that together form one character (bytes of an emoji) all get that character's span.
    """
    spans: list[tuple[int, int]] = []
    at = 0  # characters settled so far
    pending = 0  # tokens that end inside a character
    window_start = 0
    for i in range(len(token_ids)):
        before = tokenizer.decode(token_ids[window_start : i - pending], skip_special_tokens=False)
        now = tokenizer.decode(token_ids[window_start : i + 1], skip_special_tokens=False)
        if now.endswith("�") and i + 1 < len(token_ids) and pending < 4:
            pending += 1
            continue
        width = max(0, len(now) - len(before))
        spans += [(at, at + width)] * (pending + 1)
        at += width
        pending = 0
        window_start = max(window_start, i + 1 - WINDOW)
    return spans


def token_steps(trace: Trace, offsets: Sequence[tuple[int, int]]) -> list[int | None]:
    """For each token the index (from 1) of the step whose text it overlaps; None in tags, gaps and the answer."""
    result: list[int | None] = []
    for start, end in offsets:
        step = trace.step_at(start, end)
        result.append(step.index if step else None)
    return result
