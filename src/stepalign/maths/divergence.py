"""The self-distillation loss: how far the student's next-token distributions are from the teacher's.

On the student's own rollout, at every sampled token, the student (problem only) is compared with the teacher (the same
model with a context in its prompt), over the full vocabulary. The loss is the mean divergence over tokens; the gradient
goes to the student alone. With it come the figures that show what the context does: A_t, entropy, log-probabilities.

    >>> student, teacher = torch.randn(2, 1, 3, 8).requires_grad_()                     # (B, T, H)
    >>> token_ids, mask = torch.tensor([[4, 0, 2]]), torch.tensor([[True, True, False]])
    >>> head = Head(torch.randn(5, 8))                                                  # (V, H)
    >>> output = divergence_loss(student, teacher, head, token_ids, mask, kind="forward_kl", clip=0.05)
    >>> output.loss.backward()
    >>> output.advantage.shape      # A_t, (B, T), nats
    torch.Size([1, 3])

Hidden states are those that predict the token: `token_ids[:, t]` is scored by the logits of `hidden[:, t]`, so the
caller shifts by one. The kinds are defined in `stepalign.maths.objective`, the computation in `stepalign.maths.kernel`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from stepalign.core.errors import ConfigError, ShapeError
from stepalign.maths.head import Head
from stepalign.maths.kernel import Batch, divergence_sum
from stepalign.maths.objective import Divergence


class DivergenceOutput(NamedTuple):
    """The loss and, detached, what it was made of; (B, T) tensors are float32 and 0 where masked.

    `divergence` is at the loss's temperature and after clipping: the loss is its sum over the normalizer. All others
    describe the models themselves, at temperature 1 (after `logit_scale` and `softcap`).
    """

    loss: Tensor
    """() nats; differentiable by the student's hidden states and head."""
    divergence: Tensor
    """(B, T) nats."""
    advantage: Tensor
    """(B, T) nats; A_t = `teacher_logp` - `student_logp`."""
    entropy: Tensor
    """(B, T) nats; of the student."""
    student_logp: Tensor
    """(B, T) nats; log-probability of the sampled token without the context."""
    teacher_logp: Tensor
    """(B, T) nats; the same with the context."""
    num_clipped: Tensor
    """(B, T); vocabulary entries of this token that `clip` bounded."""
    clipped_share: Tensor
    """() 0 to 1; share of unmasked tokens with at least one clipped entry."""


def divergence_loss(
    student_hidden: Tensor,
    teacher_hidden: Tensor,
    head: Head,
    token_ids: Tensor,
    mask: Tensor,
    *,
    kind: str = "forward_kl",
    beta: float = 0.5,
    temperature: float = 1.0,
    clip: float | None = None,
    top_k: int | None = None,
    teacher_head: Head | None = None,
    normalizer: Tensor | float | None = None,
    chunk_size: int | None = None,
) -> DivergenceOutput:
    """Full-vocabulary divergence between student and teacher from their hidden states.

    Args:
        student_hidden: (B, T, H); last hidden states, each predicting the token at its own position of `token_ids`.
        teacher_hidden: (B, T, H of the teacher); the teacher's at the same tokens. It gets no gradient.
        head: the student's head; its weight and bias get a gradient where they require one.
        token_ids: (B, T) int64; the sampled tokens. What stands at masked positions has no effect.
        mask: (B, T) bool; True on sampled tokens. Masked positions are dropped first and cost nothing.
        kind: "forward_kl" KL(teacher || student), "reverse_kl" KL(student || teacher), or "jsd".
        beta: weight of the teacher in the mixture of "jsd", 0 to 1; 0 and 1 stand for the forward and reverse KL.
        temperature: divides both models' logits in the divergence; the gradient is not multiplied back.
        clip: nats; upper bound of each vocabulary entry's part, None for none.
        top_k: compare the teacher's k likeliest entries and one bucket of all others; None for the full vocabulary.
        teacher_head: the teacher's head where it is not the student's.
        normalizer: the sum over tokens is divided by it; None: by the number of unmasked tokens, at least 1.
        chunk_size: most tokens whose logits exist at once; None: as many as fit a fixed budget.
    Returns:
        The loss and per-token figures. All masked: a loss of 0 with a gradient of 0.
    Raises:
        ShapeError: shapes that should agree differ.
        ConfigError: an unknown kind, or a number out of its range.
    Source: arXiv 2606.11173; `kind` and `beta` as in GKD, arXiv 2306.13649.
    """
    teacher_head = teacher_head or head
    _check_shapes(student_hidden, teacher_hidden, head, teacher_head, token_ids, mask)
    if chunk_size is not None and chunk_size < 1:
        raise ConfigError(f"chunk_size is {chunk_size}; expected at least 1, or None for the default.")
    divergence = Divergence(kind, beta, temperature, clip, top_k)
    at = mask.flatten().nonzero()[:, 0]
    student, teacher = (x.flatten(0, -2).index_select(0, at) for x in (student_hidden, teacher_hidden.detach()))
    batch = Batch(head, teacher_head, teacher, token_ids.flatten()[at], divergence, chunk_size)
    total, stats = divergence_sum(student, batch)
    num_tokens = max(1, len(at))
    value, entropy, student_logp, teacher_logp, num_clipped = (_spread(x, at, mask) for x in stats)
    return DivergenceOutput(
        loss=total / (num_tokens if normalizer is None else normalizer),
        divergence=value,
        advantage=per_token_advantage(teacher_logp, student_logp, mask),
        entropy=entropy,
        student_logp=student_logp,
        teacher_logp=teacher_logp,
        num_clipped=num_clipped,
        clipped_share=(num_clipped > 0).sum() / num_tokens,
    )


@torch.no_grad()
def per_token_scores(
    student_hidden: Tensor,
    teacher_hidden: Tensor,
    head: Head,
    token_ids: Tensor,
    mask: Tensor,
    *,
    kind: str = "forward_kl",
    teacher_head: Head | None = None,
    chunk_size: int | None = None,
) -> DivergenceOutput:
    """`divergence_loss` without gradients, for analysis: the same figures by the same computation, two products.

    Args are those of `divergence_loss`: hidden states (B, T, H), `token_ids` and `mask` (B, T).
    """
    return divergence_loss(
        student_hidden,
        teacher_hidden,
        head,
        token_ids,
        mask,
        kind=kind,
        teacher_head=teacher_head,
        chunk_size=chunk_size,
    )


def per_token_advantage(teacher_logp: Tensor, student_logp: Tensor, mask: Tensor) -> Tensor:
    """How much more the self-teacher favours each sampled token than the student does.

    Args:
        teacher_logp: (B, T) float32, nats; log-probability of the sampled token with the context in the prompt.
        student_logp: (B, T) float32, nats; the same without the context.
        mask: (B, T) bool; True on sampled tokens, False on padding.
    Returns:
        (B, T) float32, nats; 0 where masked. Positive: the context reinforces the token.
    Raises:
        ShapeError: the three shapes differ.
    Source: arXiv 2606.11173, the log-likelihood ratio A_t.
    """
    shapes = {"teacher_logp": teacher_logp, "student_logp": student_logp, "mask": mask}
    _check_same({name: tuple(x.shape) for name, x in shapes.items()})
    return (teacher_logp - student_logp).masked_fill(~mask.bool(), 0.0)


def _spread(values: Tensor, at: Tensor, mask: Tensor) -> Tensor:
    """(N,) values of the unmasked tokens to the shape of the mask, 0 elsewhere."""
    return values.new_zeros(mask.numel()).index_copy_(0, at, values).view(mask.shape)


def _check_shapes(
    student_hidden: Tensor, teacher_hidden: Tensor, head: Head, teacher_head: Head, token_ids: Tensor, mask: Tensor
) -> None:
    tokens = {"student_hidden": tuple(student_hidden.shape[:-1]), "teacher_hidden": tuple(teacher_hidden.shape[:-1])}
    _check_same(tokens | {"token_ids": tuple(token_ids.shape), "mask": tuple(mask.shape)})
    _check_same({"student_hidden's width": student_hidden.shape[-1], "head's width": head.hidden_size})
    _check_same({"teacher_hidden's width": teacher_hidden.shape[-1], "teacher_head's width": teacher_head.hidden_size})
    _check_same({"head's vocabulary": head.vocabulary_size, "teacher_head's": teacher_head.vocabulary_size})


def _check_same(sizes: dict[str, tuple[int, ...]] | dict[str, int]) -> None:
    if len(set(sizes.values())) > 1:
        raise ShapeError(f"sizes must agree; got {', '.join(f'{name} {size}' for name, size in sizes.items())}.")
