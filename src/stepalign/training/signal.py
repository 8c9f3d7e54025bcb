"""Metrics of the learning signal: sums on each process first, since collectives have no place inside a wrapped forward.

    >>> sums = torch.tensor([4.0, 2.0, 1.0, 0.8, 0.0, 2.0, 0.5, 12.0, 9.0])     # of `signal_sums`, over all processes
    >>> metrics = signal_metrics(sums)
    >>> metrics["advantage/mean"], metrics["padding/waste_rate"]
    (0.5, 0.25)

`advantage/first_token` is measured where the first token carries no loss, too: with a thinking teacher it shows the
spike that `mask_first_tokens` takes out of the loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stepalign.maths.divergence import DivergenceOutput
from stepalign.training.length_bucketing import BucketedStates


def signal_sums(
    output: DivergenceOutput, first_advantage: Tensor, mask: Tensor, forwards: Sequence[BucketedStates]
) -> Tensor:
    """Sums over this process's micro-batch, in the order that `signal_metrics` reads.

    Args:
        output: of the loss.
        first_advantage: (B,) nats; A_t of each response's first token.
        mask: (B, T) bool; True on tokens with loss.
        forwards: what was computed for the student and for the teacher.
    Returns:
        (9,) float32.
    """
    num_tokens, taught = mask.sum(), mask.any(dim=1)
    positions = [sum(f.num_computed for f in forwards), sum(f.num_tokens for f in forwards)]
    sums = torch.stack(
        [
            num_tokens.float(),
            output.advantage[mask].sum(),
            (output.advantage[mask] < 0).sum().float(),
            output.divergence[mask].sum(),
            output.clipped_share * num_tokens,
            taught.sum().float(),
            first_advantage[taught].sum(),
        ]
    ).detach()
    return torch.cat([sums, sums.new_tensor(positions)])


def signal_metrics(sums: Tensor) -> dict[str, float]:
    """Metrics by name from sums (9,); none where no token had a loss.

    A_t and divergence are in nats, rates are 0 to 1.
    """
    num_tokens, advantage, num_negative, divergence, num_clipped, num_responses, first, *positions = sums.tolist()
    if not num_tokens:
        return {}
    return {
        "advantage/mean": advantage / num_tokens,
        "advantage/negative_rate": num_negative / num_tokens,
        "advantage/first_token": first / num_responses,
        "divergence/mean": divergence / num_tokens,
        "divergence/clipped_share": num_clipped / num_tokens,
        "padding/waste_rate": 1 - positions[1] / positions[0],
    }
