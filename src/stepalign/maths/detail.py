"""What can be seen of a token beyond its A_t: what either model would write there, and what the student expects.

    A_t            = log q(y_t) - log p(y_t)                    p the student, q the teacher
    expected A_t   = sum_v p_v (log q_v - log p_v) = -KL(p || q)

The expected advantage is never above 0: by it one sees how far the position as a whole is from what the teacher would
write, whichever token was sampled there.

A vocabulary has 150,000 entries, and `torch.topk` on a CPU goes through them thirty times as slowly as a maximum does.
So entries are first put in groups: the k likeliest lie in the k groups with the highest maxima.

    >>> likeliest(torch.tensor([[0.0, 3.0, 1.0, 2.0]]), 2)
    tensor([[1, 3]])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from stepalign.core.errors import ConfigError

GROUP = 64  # entries


@dataclass(frozen=True)
class Detail:
    """Which details are wanted: `num_alternatives` is how many of the likeliest tokens of either model.

    Raises:
        ConfigError: a negative number of alternatives.
    """

    num_alternatives: int = 5

    def __post_init__(self) -> None:
        if self.num_alternatives < 0:
            raise ConfigError(f"num_alternatives is {self.num_alternatives}; expected at least 0.")


class Alternatives(NamedTuple):
    """A model's k likeliest next tokens at each of T positions, in falling order; fewer in a small vocabulary."""

    token_ids: Tensor
    """(T, k) int64."""
    logp: Tensor
    """(T, k) nats."""

    def to_json(self) -> list[list[tuple[int, float]]]:
        """For each position its alternatives as plain numbers: id and probability."""
        ids: list[list[int]] = _plain(self.token_ids)
        probabilities: list[list[float]] = _plain(self.logp.exp())
        return [list(zip(*of_token, strict=True)) for of_token in zip(ids, probabilities, strict=True)]


class TokenDetail(NamedTuple):
    """The details of T tokens under one context; `student_top` is the same under every context."""

    expected_advantage: Tensor
    """(T,) nats; -KL(student || teacher) over the full vocabulary, 0 or below."""
    student_top: Alternatives
    teacher_top: Alternatives

    def to_json(self) -> dict[str, list[float]]:
        """Its numbers a token, by name."""
        return {"expected_advantage": _plain(self.expected_advantage)}


def likeliest(logits: Tensor, k: int) -> Tensor:
    """Where the k largest entries of each row are, in falling order; of equal ones any.

    Args:
        logits: (N, V).
        k: how many; all V where there are fewer.
    Returns:
        (N, k) int64.
    """
    vocabulary = logits.shape[-1]
    k = min(k, vocabulary)
    num_groups = vocabulary // GROUP  # entry i is in group i % num_groups; the last few stand alone
    if num_groups <= 2 * k:
        return logits.topk(k).indices
    grouped = num_groups * GROUP
    maxima = logits[:, :grouped].view(-1, GROUP, num_groups).amax(1)
    members = maxima.topk(k).indices[:, :, None] + torch.arange(0, grouped, num_groups, device=logits.device)
    alone = torch.arange(grouped, vocabulary, device=logits.device).expand(len(logits), -1)
    candidates = torch.cat([members.flatten(1), alone], 1)
    return candidates.gather(-1, logits.gather(-1, candidates).topk(k).indices)


def _plain(values: Tensor) -> Any:
    return cast("Any", values).tolist()  # torch says not of what it is a list
