"""Where each token lies in the text, for any fast Hugging Face tokenizer and token ids exactly as they were sampled.

Sampled ids need not be the ids that the tokenizer gives for the decoded text, so offsets come from decoding the ids
themselves, with a short window, as streaming servers do.

    >>> from stepalign.core.trace import parse_trace
    >>> ids = tokenizer.encode("<step_1>So 8.</step_1>", add_special_tokens=False)
    >>> token_steps(parse_trace(tokenizer.decode(ids)), token_offsets(tokenizer, ids))
    [None, None, None, 1, 1, 1, None, None, None]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from stepalign.core.rollout import Rollout
from stepalign.core.tokenizer import Tokenizer
from stepalign.core.trace import Trace

WINDOW = 6  # tokens decoded before the current one; merges and spaces depend on near neighbours only
ANCHOR = "a"  # a text before which no tokenizer drops a space


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
    trace = rollout.problem.trace(rollout.text if text.startswith(rollout.text) else text)
    # tokens that are bytes of one character share its span: the first shows it
    texts = ["" if i and span == offsets[i - 1] else text[slice(*span)] for i, span in enumerate(offsets)]
    return RolloutTokens(texts, token_steps(trace, offsets))


def token_texts(tokenizer: Tokenizer, token_ids: Iterable[int]) -> dict[int, str]:
    """The text of each id by itself, as it reads inside a text: " so" keeps its space.

    A token that is a part of a character reads "\ufffd"; `rollout_tokens` puts the parts of a sequence together.
    """
    before = list(tokenizer([ANCHOR], add_special_tokens=False)["input_ids"][0])
    prefix = tokenizer.decode(before, skip_special_tokens=False)
    unique = list(dict.fromkeys(token_ids))
    if not unique:  # of nothing some tokenizers make one empty text
        return {}
    texts = tokenizer.batch_decode([[*before, token_id] for token_id in unique], skip_special_tokens=False)
    return {
        token_id: text.removeprefix(prefix) if text.startswith(prefix) else tokenizer.decode([token_id])
        for token_id, text in zip(unique, texts, strict=True)
    }


def token_offsets(tokenizer: Tokenizer, token_ids: Sequence[int]) -> list[tuple[int, int]]:
    """Character span of each token in `tokenizer.decode(token_ids)`, special tokens included in the text.

    Tokens that together form one character (bytes of an emoji) all get that character's span; a token that adds no
    character has an empty one. A prefix of the ids that ends inside a character is decoded to something else there, for
    tokenizers that fall back to bytes even from the first of several characters in bytes on: how far a prefix agrees
    with the whole text is what it settles.
    """
    text = tokenizer.decode(token_ids, skip_special_tokens=False)
    spans: list[tuple[int, int]] = []
    at = 0  # characters settled so far
    pending = 0  # tokens that end inside a character
    whole = [(0, 0)]  # places between tokens, in tokens and characters, where no character is cut
    for i in range(len(token_ids)):
        place, settled = whole[-1]
        start = next((tokens for tokens, _ in reversed(whole) if tokens <= place - WINDOW), 0)
        before = tokenizer.decode(token_ids[start:place], skip_special_tokens=False)
        now = tokenizer.decode(token_ids[start : i + 1], skip_special_tokens=False)
        shared = shared_length(now, before + text[settled : settled + len(now)])
        is_last = i + 1 == len(token_ids)
        end = len(text) if is_last else max(at, settled + shared - len(before))
        if end == at and shared < len(now) and not is_last:
            pending += 1
            continue
        spans += [(at, end)] * (pending + 1)
        at, pending = end, 0
        if shared == len(now) and not now.endswith("\ufffd"):  # which may be a part of a character
            whole = [*whole[-2 * WINDOW :], (i + 1, end)]
    return spans


def shared_length(a: str, b: str) -> int:
    """How many characters two texts have in common at their start."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def token_steps(trace: Trace, offsets: Sequence[tuple[int, int]]) -> list[int | None]:
    """For each token the index (from 1) of the step whose text it overlaps; None in tags, gaps and the answer."""
    result: list[int | None] = []
    for start, end in offsets:
        step = trace.step_at(start, end)
        result.append(step.index if step else None)
    return result
