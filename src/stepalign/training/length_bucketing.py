"""Length bucketing: forward passes over rows of similar length, so that the padding of a batch is not computed.

A batch pads every prompt to its longest prompt and every completion to its longest completion, and the model computes
the padding like everything else, once for the student and once more for the teacher. Here rows of similar length share
a pass, each pass is trimmed to its own longest prompt and completion, and rows that carry no loss take no pass at all.
The hidden states come back at the places of the whole batch, so the loss is computed once over all of them, and neither
its value nor its gradient changes.

    >>> [sorted(rows) for rows in group_rows([4, 4, 90], [5, 6, 90])]
    [[0, 1], [2]]

Which rows share a pass is chosen by dynamic programming: with the rows in order of length, the cuts that make the sum
over passes of rows x width + `pass_cost` least. Prompts are padded on the left and completions on the right, as TRL
does it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from stepalign.core.errors import ConfigError

# What one more pass costs, in tokens: measured on a CPU; on a GPU a guess, where launches bound a small pass.
PASS_COST = {"cpu": 256, "cuda": 4096}
ONE_PASS = 2**62  # so high a cost makes it one pass, which all processes need where parameters are sharded

Forward = Callable[[Tensor, Tensor, int], Tensor]
"""From token ids (b, L), attention mask (b, L) and a count n to the hidden states (b, n, H) of the last n tokens,
each the one that predicts the token."""


@dataclass(frozen=True, eq=False)
class Sequences:
    """A padded batch. Prompts (B, P) have their padding on the left, completions (B, T) on the right.

    Masks are 1 on tokens and 0 on padding; `loss_mask` (B, T) is 1 where the loss needs the hidden state.
    """

    prompt_ids: Tensor
    prompt_mask: Tensor
    completion_ids: Tensor
    completion_mask: Tensor
    loss_mask: Tensor


class BucketedStates(NamedTuple):
    """What the passes gave and what they took."""

    hidden: Tensor
    """(B, T, H); 0 where no pass went: in rows without loss, and beyond the longest needed completion of a pass."""
    num_tokens: int
    """Tokens of the rows computed, padding apart."""
    num_computed: int
    """Positions computed, padding included."""
    num_passes: int


def bucketed_hidden_states(
    forward: Forward, sequences: Sequences, max_tokens: int | None = None, pass_cost: int = PASS_COST["cpu"]
) -> BucketedStates:
    """The hidden states that predict the completion tokens, by passes over rows of similar length.

    Args:
        forward: runs the model on one group of rows.
        sequences: the batch.
        max_tokens: most positions of one pass, padding included; a longer row goes alone. None: no limit.
        pass_cost: what one more pass costs, in tokens: the higher, the fewer passes.
            `ONE_PASS` where every process must make as many passes (FSDP, ZeRO-3 gather parameters in each).
    Returns:
        Hidden states, differentiable where `forward` is. A batch without any loss still takes one pass, over its
        shortest row, so that its gradient is 0 and not missing.
    Raises:
        ConfigError: `max_tokens` is below 1.
    """
    first = sequences.prompt_mask.long().argmax(1)
    prompts = (sequences.prompt_mask.shape[1] - first).tolist()
    completions = _needed(sequences.loss_mask).tolist()
    if not any(completions):
        completions[prompts.index(min(prompts))] = 1
    groups = group_rows(prompts, completions, max_tokens, pass_cost)
    parts: list[Tensor] = []
    num_tokens = num_computed = 0
    for rows in groups:
        prompt, completion = max(prompts[row] for row in rows), max(completions[row] for row in rows)
        parts.append(_run(forward, sequences, rows, prompt, completion))
        num_tokens += sum(prompts[row] + completions[row] for row in rows)
        num_computed += len(rows) * (prompt + completion)
    return BucketedStates(_in_place(parts, groups, len(prompts)), num_tokens, num_computed, len(groups))


def group_rows(
    prompt_lengths: Sequence[int],
    completion_lengths: Sequence[int],
    max_tokens: int | None = None,
    pass_cost: int = PASS_COST["cpu"],
) -> list[list[int]]:
    """Which rows share a pass: groups of row numbers, shortest rows first.

    Args:
        prompt_lengths: tokens of each row's prompt.
        completion_lengths: tokens needed of each row's completion; a row that needs none is in no group.
        max_tokens: most positions of one group, rows x (longest prompt + longest completion); None: no limit.
        pass_cost: what one more group costs, in tokens.
    Raises:
        ConfigError: `max_tokens` is below 1.
    """
    if max_tokens is not None and max_tokens < 1:
        raise ConfigError(f"max_tokens is {max_tokens}; expected at least 1, or None for no limit.")
    rows = [row for row, length in enumerate(completion_lengths) if length]
    rows.sort(key=lambda row: (prompt_lengths[row] + completion_lengths[row], row))
    least = [0.0]  # least[end]: cost of the first `end` rows
    starts = [0]  # starts[end]: where the last group of that begins
    for end in range(1, len(rows) + 1):
        prompt = completion = 0
        best, best_start = float("inf"), end - 1
        for start in reversed(range(end)):
            prompt = max(prompt, prompt_lengths[rows[start]])
            completion = max(completion, completion_lengths[rows[start]])
            size = (end - start) * (prompt + completion)
            if max_tokens is not None and size > max_tokens and end - start > 1:
                break
            if least[start] + size + pass_cost < best:
                best, best_start = least[start] + size + pass_cost, start
        least.append(best)
        starts.append(best_start)
    groups: list[list[int]] = []
    end = len(rows)
    while end:
        groups.insert(0, rows[starts[end] : end])
        end = starts[end]
    return groups


def _needed(mask: Tensor) -> Tensor:
    """(B,) how many leading positions reach the last unmasked one; 0 where all are masked."""
    positions = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    return (mask.bool() * positions).amax(1)


def _run(forward: Forward, sequences: Sequences, rows: list[int], prompt: int, completion: int) -> Tensor:
    """One pass, with its hidden states (b, `completion`, H) padded to (b, T, H)."""
    at = torch.tensor(rows, device=sequences.prompt_ids.device)
    left = sequences.prompt_ids.shape[1] - prompt

    def trimmed(prompts: Tensor, completions: Tensor) -> Tensor:
        return torch.cat([prompts[at, left:], completions[at, :completion]], dim=1)

    hidden = forward(
        trimmed(sequences.prompt_ids, sequences.completion_ids),
        trimmed(sequences.prompt_mask, sequences.completion_mask),
        completion,
    )
    return pad(hidden, (0, 0, 0, sequences.completion_ids.shape[1] - completion))


def _in_place(parts: list[Tensor], groups: list[list[int]], num_rows: int) -> Tensor:
    """Rows in the batch's order, with zeros for those that took no pass."""
    order = [row for rows in groups for row in rows]
    missing = sorted({*range(num_rows)} - {*order})
    if missing:
        parts = [*parts, parts[0].new_zeros(len(missing), *parts[0].shape[1:])]
    back = torch.tensor([*order, *missing], device=parts[0].device).argsort()
    return torch.cat(parts).index_select(0, back)
