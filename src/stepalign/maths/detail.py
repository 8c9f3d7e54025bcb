"""What can be seen of a token beyond its A_t: what either model would write there, what the student expects, and what
the loss does to the token.

With p the student, q the teacher, z the student's logits, y the sampled token, D the divergence of the loss there:

    A_t            = log q_y - log p_y
    expected A_t   = sum_v p_v (log q_v - log p_v) = -KL(p || q)
    push           = -dD/dz_y           how a step of gradient descent on D moves the logit of the sampled token
    gradient norm  = sqrt(sum_v (dD/dz_v)^2)

The expected advantage is never above 0: by it one sees how far the position as a whole is from what the teacher would
write, whichever token was sampled there. The push is what the loss does to this token, as far as the logits alone say:

    forward_kl     D = KL(q || p)       push = q_y - p_y
    reverse_kl     D = KL(p || q)       push = p_y (A_t - expected A_t)
    jsd            see objective        push = (1 - beta) p_y (KL(p || m) - log(p_y / m_y)), m = (1 - beta) p + beta q

So under the forward KL a token is pushed up exactly where A_t > 0, by at most 1; under the reverse KL where A_t is
above what was expected. With a temperature, `clip` or `top_k` it is the gradient of `stepalign.maths.objective`.

    >>> likeliest(torch.tensor([[0.0, 3.0, 1.0, 2.0]]), 2)
    tensor([[1, 3]])

A vocabulary has 150,000 entries, and `torch.topk` on a CPU goes through them thirty times as slowly as a maximum does.
So entries are first put in groups: the k likeliest lie in the k groups with the highest maxima.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from stepalign.core.errors import ConfigError
from stepalign.maths.objective import Divergence, evaluate

GROUP = 64  # entries


@dataclass(frozen=True)
class Detail:
    """Which details are wanted: how many of the likeliest tokens of either model, and of which loss the gradient.

    Raises:
        ConfigError: a negative number of alternatives.
    """

    num_alternatives: int = 5
    loss: Divergence = Divergence()

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
    logit_push: Tensor
    """(T,); minus the derivative of the token's own divergence by the student's logit of the sampled token."""
    gradient_norm: Tensor
    """(T,); Euclidean norm of that divergence's gradient by all of the student's logits."""
    student_top: Alternatives
    teacher_top: Alternatives

    def to_json(self) -> dict[str, list[float]]:
        """Its numbers a token, by name."""
        return {name: _plain(getattr(self, name)) for name in self._fields[:3]}


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


def logit_gradient(loss: Divergence, student: Tensor, teacher: Tensor, buffers: Sequence[Tensor]) -> Tensor:
    """The gradient of each row's divergence by the student's logits.

    Args:
        loss: any divergence.
        student: (N, V); logits, left as they are.
        teacher: (N, V); logits, left as they are.
        buffers: five of (N, V) to work in; the result is one of them.
    Returns:
        (N, V).
    """
    log_p, log_q, p, spare, work = buffers
    for logits, out in ((student, log_p), (teacher, log_q)):
        torch.log_softmax(torch.div(logits, loss.temperature, out=work), -1, out=out)
    torch.exp(log_p, out=p)
    return evaluate(loss, [log_p, log_q, p, spare, work]).gradient.div_(loss.temperature)


def _plain(values: Tensor) -> Any:
    return cast("Any", values).tolist()  # torch says not of what it is a list
