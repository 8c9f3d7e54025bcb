"""The divergences between the teacher's and the student's next-token distributions, entry by entry.

Each is a sum over vocabulary entries v of a function of the two log-probabilities. With p the student, q the teacher,
m = (1 - beta) p + beta q:

    kind         entry e_v                                        slope, the derivative of e_v by log p_v
    forward_kl   q (log q - log p)            KL(q || p)          -q
    reverse_kl   p (log p - log q)            KL(p || q)          e_v + p
    jsd          beta q (log q - log m) +
                 (1 - beta) p (log p - log m)                     (1 - beta) p (log p - log m), m's own part cancelled

and the gradient by the student's logits is slope - p * sum(slope). Two variations act on this form:

- `clip`: an entry counts at most `clip`, and a clipped one has slope 0. A few style tokens otherwise dominate the sum
  (OPSD, Zhao et al. 2026).
- `top_k`: the teacher's k likeliest entries keep their place, all others share one tail bucket (after SDPO, which takes
  the student's k).

jsd is the generalized Jensen-Shannon divergence of GKD (arXiv 2306.13649) as TRL computes it: beta 0 stands for the
forward KL and 1 for the reverse KL.

    >>> Divergence("jsd", beta=0.5, temperature=2.0, clip=0.05).weight_of_teacher
    0.5
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from stepalign.core.errors import ConfigError, suggest

KINDS = ("forward_kl", "reverse_kl", "jsd")


@dataclass(frozen=True)
class Divergence:
    """Which divergence to compute.

    `beta`, 0 to 1, counts for jsd only. `temperature` divides both models' logits. `clip`, in nats, bounds each
    vocabulary entry from above; `top_k` is the number of the teacher's entries kept; None turns either off.

    Raises:
        ConfigError: an unknown kind, or a number out of its range.
    """

    kind: str = "forward_kl"
    beta: float = 0.5
    temperature: float = 1.0
    clip: float | None = None
    top_k: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"unknown divergence '{self.kind}'{suggest(self.kind, KINDS)}")
        if not 0 <= self.beta <= 1:
            raise ConfigError(f"beta is {self.beta}; expected 0 (forward KL) to 1 (reverse KL).")
        if self.temperature <= 0:
            raise ConfigError(f"temperature is {self.temperature}; expected a positive number.")
        if self.clip is not None and self.clip <= 0:
            raise ConfigError(f"clip is {self.clip}; expected a positive number of nats, or None for no clipping.")
        if self.top_k is not None and self.top_k < 1:
            raise ConfigError(f"top_k is {self.top_k}; expected at least 1, or None for the full vocabulary.")

    @property
    def is_plain_forward_kl(self) -> bool:
        """Whether its gradient by the student's logits is p - q, of the two models' probabilities."""
        unchanged = self.temperature == 1 and self.clip is None and self.top_k is None
        return unchanged and self.weight_of_teacher == 0

    @property
    def weight_of_teacher(self) -> float:
        """beta, where the two KL divergences are the ends of its range."""
        return {"forward_kl": 0.0, "reverse_kl": 1.0}.get(self.kind, self.beta)


class ValueAndGradient(NamedTuple):
    """`value` (N,) in nats, `gradient` (N, V) by the student's logits, `num_clipped` (N,) entries."""

    value: Tensor
    gradient: Tensor
    num_clipped: Tensor


def evaluate(divergence: Divergence, buffers: list[Tensor]) -> ValueAndGradient:
    """The divergence of each row and its gradient by the student's logits (already divided by the temperature).

    Args:
        divergence: what to compute.
        buffers: five of (N, V): the student's log-probabilities, the teacher's, the student's probabilities, and two
            to write to. All are overwritten; the gradient is one of them.
    """
    if divergence.top_k is not None:
        return _evaluate_buckets(divergence, divergence.top_k, buffers)
    value, slope, num_clipped = _evaluate_entries(divergence, buffers)
    return ValueAndGradient(value, slope.addcmul_(buffers[2], slope.sum(-1, keepdim=True), value=-1), num_clipped)


def _evaluate_entries(divergence: Divergence, buffers: list[Tensor]) -> ValueAndGradient:
    """As `evaluate`, with slopes in place of the gradient and `p`, the third buffer, left as it is."""
    beta, p = divergence.weight_of_teacher, buffers[2]
    entry, slope = _entry_and_slope(beta, *buffers)
    num_clipped = entry.new_zeros(len(entry))
    if divergence.clip is not None:
        kept = torch.le(entry, divergence.clip, out=buffers[4])  # as numbers: a tensor of bools costs ten times as much
        num_clipped = kept.shape[-1] - kept.sum(-1)
        entry.clamp_(max=divergence.clip)
        most = torch.finfo(slope.dtype).max  # a clipped entry's slope may be infinite
        slope.clamp_(-most, most).mul_(kept)
    # Multiples of p in the slopes leave no trace in the gradient; this one makes it exactly 0 where p = q.
    if beta in (0, 1):
        slope.add_(p, alpha=1 - 2 * beta)
    return ValueAndGradient(entry.sum(-1), slope, num_clipped)


def _entry_and_slope(
    beta: float, log_p: Tensor, log_q: Tensor, p: Tensor, spare: Tensor, spare2: Tensor
) -> tuple[Tensor, Tensor]:
    """The table at the head of this file; `p` is kept, the other buffers are overwritten."""
    if beta == 1:
        entry = torch.sub(log_p, log_q, out=log_q).mul_(p)
        return entry, torch.add(entry, p, out=log_p)
    q = torch.exp(log_q, out=spare)
    if beta == 0:
        return log_q.sub_(log_p).mul_(q), q.neg_()
    log_m = torch.lerp(p, q, beta, out=spare2).clamp_(min=torch.finfo(p.dtype).tiny).log_()
    slope = log_p.sub_(log_m).mul_(p).mul_(1 - beta)
    return log_q.sub_(log_m).mul_(q).mul_(beta).add_(slope), slope


def _evaluate_buckets(divergence: Divergence, top_k: int, buffers: list[Tensor]) -> ValueAndGradient:
    log_p, log_q, p, tail_p, tail_q = buffers
    top = log_q.topk(min(top_k, log_q.shape[-1])).indices
    # The tail's mass is summed, not taken as 1 - top: with a confident model few digits of that would be right.
    tail_p.copy_(p).scatter_(-1, top, 0)
    torch.exp(log_q, out=tail_q).scatter_(-1, top, 0)
    tiny = torch.finfo(p.dtype).tiny
    mass_p, mass_q = (tail.sum(-1, keepdim=True).clamp_(min=tiny) for tail in (tail_p, tail_q))
    bucket_log_p = torch.cat([log_p.gather(-1, top), mass_p.log()], -1)
    bucket_log_q = torch.cat([log_q.gather(-1, top), mass_q.log()], -1)
    spare, spare2 = torch.empty_like(bucket_log_p), torch.empty_like(bucket_log_p)
    value, slope, num_clipped = _evaluate_entries(
        divergence, [bucket_log_p, bucket_log_q, bucket_log_p.exp(), spare, spare2]
    )
    # Entries of the tail share its slope in proportion to their probability; the sum of slopes stays the same.
    total = slope.sum(-1, keepdim=True)
    gradient = tail_p.mul_(slope[:, -1:] / mass_p).scatter_(-1, top, slope[:, :-1])
    return ValueAndGradient(value, gradient.addcmul_(p, total, value=-1), num_clipped)
