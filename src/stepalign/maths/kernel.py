"""One pass over chunks of tokens: per-token divergences and their gradients, without the logits of all tokens at once.

For each chunk both models' hidden states are multiplied by the head's weight. While these logits lie there, the
divergence and its gradient by the student's logits are computed, and the gradient is multiplied back. With a frozen
head that makes three matrix products (a fourth for the weight's gradient); a backward pass that makes the logits anew
takes five. The gradient of the sum over tokens waits for the backward pass, which only scales it, as in fused linear
cross-entropy (Liger Kernel, arXiv 2410.10989).

Within a chunk the entrywise work goes block by block through a few buffers that stay in the processor's cache.
Softmaxes and sums are in float32 (float64 for float64 inputs). Products take the hidden states' dtype, or autocast's;
in half precision CUDA returns them in float32, while a CPU rounds them to that dtype, as a model's own forward does.

    >>> head, hidden = Head(torch.randn(5, 8)), torch.randn(2, 3, 8)                    # (V, H), twice (N, H)
    >>> batch = Batch(head, head, hidden[1], torch.tensor([4, 0, 2]), Divergence())
    >>> total, stats = divergence_sum(hidden[0], batch)
    >>> total.shape, stats.divergence.shape
    (torch.Size([]), torch.Size([3]))

Training calls it through `stepalign.maths.divergence.divergence_loss`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from stepalign.maths.head import Head
from stepalign.maths.objective import Divergence, evaluate

MEBIBYTE = 2**20
# Both models' logits of one chunk. A larger chunk makes more of each reading of the weight.
CHUNK_BYTES = {"cpu": 320 * MEBIBYTE, "cuda": 1024 * MEBIBYTE}
# One of a block's five buffers. On a CPU all should fit the last-level cache; on a GPU a launch should be worth while.
BLOCK_BYTES = {"cpu": 5 * MEBIBYTE, "cuda": 64 * MEBIBYTE}


class TokenStats(NamedTuple):
    """(N,) each, detached, float32 (float64 for float64 inputs); nats, but `num_clipped` counts vocabulary entries.

    `divergence` is at the divergence's temperature; `entropy` (the student's) and the log-probabilities of the sampled
    token are at temperature 1.
    """

    divergence: Tensor
    entropy: Tensor
    student_logp: Tensor
    teacher_logp: Tensor
    num_clipped: Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """What the student's N hidden states are compared with.

    `teacher_hidden` is (N, H of the teacher), `token_ids` (N,); `chunk_size` is in tokens, None for the default.
    """

    head: Head
    teacher_head: Head
    teacher_hidden: Tensor
    token_ids: Tensor
    divergence: Divergence
    chunk_size: int | None = None


class Gradients(NamedTuple):
    """Of the summed divergence by the student's hidden states (N, H), weight (V, H) and bias (V,); None: not wanted."""

    hidden: Tensor | None
    weight: Tensor | None
    bias: Tensor | None


class Buffers(NamedTuple):
    """`student` and `teacher` (chunk, V) for the products with the weight, `block` (5, rows, V) to work on them."""

    student: Tensor
    teacher: Tensor
    block: Tensor


def divergence_sum(hidden: Tensor, batch: Batch) -> tuple[Tensor, TokenStats]:
    """The divergence summed over tokens, differentiable by `hidden` (N, H) and the student's head; and statistics."""
    inputs = (hidden, batch.head.weight, batch.head.bias)
    wanted = [torch.is_grad_enabled() and x is not None and x.requires_grad for x in inputs]
    apply = cast(Callable[..., tuple[Tensor, ...]], _DivergenceSum.apply)  # pyright: ignore[reportUnknownMemberType]
    total, *stats = apply(*inputs, batch, wanted)
    return total, TokenStats(*stats)


class _DivergenceSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, batch: Batch, wanted: list[bool]
    ) -> tuple[Tensor, ...]:
        device = hidden.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
        with torch.autocast(device, enabled=False):
            stats, gradients = _pass_over_chunks(hidden.to(dtype), batch, wanted)
        ctx.save_for_backward(*gradients)
        ctx.mark_non_differentiable(*stats)
        return stats.divergence.sum(), *stats

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        return *(None if g is None else g * grad_outputs[0] for g in ctx.saved_tensors), None, None


def _pass_over_chunks(hidden: Tensor, batch: Batch, wanted: list[bool]) -> tuple[TokenStats, Gradients]:
    num_tokens, dtype = len(hidden), hidden.dtype
    shared = batch.teacher_head.weight is batch.head.weight
    weight = batch.head.weight.to(dtype)
    teacher_weight = weight if shared else batch.teacher_head.weight.to(dtype)
    buffers = _allocate(hidden, batch)
    stats = buffers.block.new_empty(len(TokenStats._fields), num_tokens)
    gradients = Gradients(
        torch.empty_like(hidden) if wanted[0] else None,
        torch.zeros_like(weight, dtype=stats.dtype) if wanted[1] else None,
        stats.new_zeros(len(weight)) if wanted[2] else None,
    )
    for start in range(0, num_tokens, len(buffers.student)):
        tokens = slice(start, start + len(buffers.student))
        student, teacher = hidden[tokens], batch.teacher_hidden[tokens].to(dtype)
        chunk = buffers._replace(
            student=multiply(student, weight, buffers.student),
            teacher=multiply(teacher, teacher_weight, buffers.teacher),
        )
        gradient = _compare_chunk(batch, batch.token_ids[tokens], chunk, stats[:, tokens], dtype)
        if gradients.hidden is not None:
            torch.mm(gradient, weight, out=gradients.hidden[tokens])
        if gradients.weight is not None:
            _add_product(gradients.weight, gradient.t(), student)
        if gradients.bias is not None:
            gradients.bias.add_(gradient.sum(0, dtype=stats.dtype))
    return TokenStats(*stats), gradients


def _allocate(hidden: Tensor, batch: Batch) -> Buffers:
    num_tokens, dtype, device, vocabulary = len(hidden), hidden.dtype, hidden.device, batch.head.vocabulary_size
    precise = torch.float64 if dtype is torch.float64 else torch.float32
    logit_dtype = precise if _has_precise_product(device) else dtype
    chunk = chunk_length(num_tokens, 2 * vocabulary * logit_dtype.itemsize, device, batch.chunk_size)
    block = min(chunk, rows_within(BLOCK_BYTES, vocabulary * precise.itemsize, device))
    student, teacher = torch.empty(2, chunk, vocabulary, dtype=logit_dtype, device=device)
    return Buffers(student, teacher, torch.empty(5, block, vocabulary, dtype=precise, device=device))


def _compare_chunk(batch: Batch, token_ids: Tensor, chunk: Buffers, stats: Tensor, dtype: torch.dtype) -> Tensor:
    """Fill in the chunk's `stats`, (5, chunk); return the gradient (chunk, V) by the student's product."""
    # A row's gradient takes the place of its logits: all of it, or its first half where the logits are wider.
    gradient = chunk.student.view(dtype)[:, : chunk.student.shape[1]]
    num_rows = chunk.block.shape[1]
    for start in range(0, len(token_ids), num_rows):
        rows = slice(start, min(start + num_rows, len(token_ids)))
        buffers = list(chunk.block[:, : rows.stop - start])
        stats[:, rows], row_gradient = _compare(
            batch, chunk.student[rows], chunk.teacher[rows], token_ids[rows], buffers
        )
        gradient[rows] = row_gradient
    return gradient


def _compare(
    batch: Batch, student: Tensor, teacher: Tensor, token_ids: Tensor, buffers: list[Tensor]
) -> tuple[Tensor, Tensor]:
    """For one block of products: its `TokenStats` stacked, and the gradient by the student's product (a buffer)."""
    log_p, log_q, p, spare, work = buffers
    temperature = batch.divergence.temperature
    torch.log_softmax(_finish_logits(batch.head, student, work), -1, out=log_p)
    torch.log_softmax(_finish_logits(batch.teacher_head, teacher, work), -1, out=log_q)
    torch.exp(log_p, out=p)
    entropy = torch.mul(p, log_p, out=work).sum(-1).neg_()
    student_logp, teacher_logp = (x.gather(-1, token_ids[:, None])[:, 0] for x in (log_p, log_q))
    if temperature != 1:
        for x in (log_p, log_q):  # a softmax does not see the shift between log-probabilities and logits
            torch.log_softmax(torch.div(x, temperature, out=work), -1, out=x)
        torch.exp(log_p, out=p)
    value, gradient, num_clipped = evaluate(batch.divergence, [log_p, log_q, p, spare, work])
    if temperature != 1:
        gradient.div_(temperature)
    stats = torch.stack([value, entropy, student_logp, teacher_logp, num_clipped.to(value.dtype)])
    return stats, batch.head.product_gradient_(gradient, student)


def _finish_logits(head: Head, product: Tensor, work: Tensor) -> Tensor:
    """The logits of a product: in its place where it is as precise and not read again, else in `work`."""
    if product.dtype == work.dtype and head.softcap is None:
        return head.finish_logits_(product)
    return head.finish_logits_(work.copy_(product))


def chunk_length(num_tokens: int, row_bytes: int, device: torch.device, chunk_size: int | None) -> int:
    """Tokens of a chunk whose logits take `row_bytes` a token; `chunk_size` is the most, None for the budget's."""
    most = chunk_size or rows_within(CHUNK_BYTES, row_bytes, device)
    num_chunks = max(1, ceil(num_tokens / most))
    return max(1, ceil(num_tokens / num_chunks))  # even: a small last chunk would read all of the weight as well


def rows_within(budget: dict[str, int], row_bytes: int, device: torch.device) -> int:
    """Rows that fit the budget, a multiple of 32 where there are as many: it depends on the shapes alone."""
    rows = budget.get(device.type, budget["cuda"]) // row_bytes
    return max(1, rows - rows % 32 if rows >= 32 else rows)


def _has_precise_product(device: torch.device) -> bool:
    """Whether float32 products of half precision inputs can be had."""
    return device.type == "cuda" and torch.__version__ >= "2.8"


def multiply(hidden: Tensor, weight: Tensor, buffer: Tensor) -> Tensor:
    """The product of `hidden` (N, H) and `weight` (V, H): (N, V), the first rows of the buffer.

    In half precision a CPU rounds it to that.
    """
    out = buffer[: len(hidden)]
    if out.dtype == hidden.dtype:
        return torch.mm(hidden, weight.t(), out=out)
    if _has_precise_product(hidden.device):
        return torch.mm(hidden, weight.t(), out_dtype=out.dtype, out=out)
    return out.copy_(hidden @ weight.t())


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """`total += left @ right`; the sum over chunks stays in float32, half precision would bias it."""
    if total.dtype == left.dtype:
        total.addmm_(left, right)
    elif _has_precise_product(total.device):
        torch.addmm(total, left, right, out_dtype=total.dtype, out=total)
    else:
        total.add_(left @ right)
