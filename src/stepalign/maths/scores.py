"""Per-token scores of one response under several contexts: log-probabilities, A_t and the divergence, no gradients.

The numbers are those of `stepalign.maths.divergence.per_token_scores`; made for looking rather than for training, this
pass does less for them. The student's logits of a chunk are computed once and every teacher is compared with them. Of a
pair of logit rows s and t it takes their maxima and one softmax each:

    log Z = max(s) - log(max(softmax(s)))      log p(y) = s_y - log Z
    KL(q || p) = q . (t - s) - log Z_t + log Z_s

so a block of rows stays in the processor's cache, and most of the time is spent in the products with the head. Details
(`stepalign.maths.detail`) are computed while the block lies there.

    >>> head, (student, refsol, stepalign) = Head(torch.randn(5, 8)), torch.randn(3, 4, 8)      # (V, H), three (T, H)
    >>> scores = score_tokens(student, [refsol, stepalign], head, torch.tensor([4, 0, 2, 2]))
    >>> scores[0].advantage.shape   # A_t, (T,), nats
    torch.Size([4])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor

from stepalign.core.errors import ConfigError, ShapeError
from stepalign.maths.detail import Alternatives, Detail, TokenDetail, likeliest, logit_gradient
from stepalign.maths.head import Head
from stepalign.maths.kernel import MEBIBYTE, chunk_length, multiply, rows_within

BLOCK_BYTES = {"cpu": 3 * MEBIBYTE // 2, "cuda": 64 * MEBIBYTE}  # one block of logits in the softmax's buffer


class TokenScores(NamedTuple):
    """(T,) each, nats, float32 (float64 for float64 inputs)."""

    student_logp: Tensor
    """Log-probability of the token without the context."""
    teacher_logp: Tensor
    """The same with the context."""
    advantage: Tensor
    """A_t = `teacher_logp` - `student_logp`. Positive: the context reinforces the token."""
    divergence: Tensor
    """KL(teacher || student) over the full vocabulary, the forward KL of the loss."""
    detail: TokenDetail | None = None
    """Where it was asked for."""

    def to_json(self) -> dict[str, list[float]]:
        """Each of the four as plain numbers, by name."""
        return {name: getattr(self, name).tolist() for name in self._fields[:4]}


class _Buffers(NamedTuple):
    """Room for the student's and a teacher's logits, (chunk, V), and blocks (n, rows, V) to work on."""

    student: Tensor
    teacher: Tensor
    blocks: Tensor


@torch.no_grad()
def score_tokens(
    student_hidden: Tensor,
    teacher_hidden: Sequence[Tensor],
    head: Head,
    token_ids: Tensor,
    *,
    teacher_head: Head | None = None,
    chunk_size: int | None = None,
    detail: Detail | None = None,
) -> list[TokenScores]:
    """Score the tokens under each teacher, in order.

    Args:
        student_hidden: (T, H); last hidden states, each predicting the token at its own position of `token_ids`.
        teacher_hidden: for each context (T, H of the teacher), at the same tokens.
        head: the student's head.
        token_ids: (T,) int64; the tokens to score.
        teacher_head: the teacher's head where it is not the student's.
        chunk_size: most tokens whose logits exist at once; None: as many as fit a fixed budget.
        detail: what else to see of each token; None: nothing.
    Raises:
        ShapeError: shapes that should agree differ.
        ConfigError: `chunk_size` is below 1.
    """
    teacher_head = teacher_head or head
    _check(student_hidden, teacher_hidden, head, teacher_head, token_ids, chunk_size)
    with torch.autocast(student_hidden.device.type, enabled=False):
        buffers = _allocate(student_hidden, head.vocabulary_size, chunk_size, _num_blocks(detail))
        stats, tops = _pass_over_chunks(
            student_hidden, teacher_hidden, (head, teacher_head), token_ids, buffers, detail
        )
    scores: list[TokenScores] = []
    for number, (student, teacher, divergence, *more) in enumerate(stats, 1):
        seen = None if detail is None else TokenDetail(more[0], more[1], more[2], tops[0], tops[number])
        scores.append(TokenScores(student, teacher, teacher - student, divergence, seen))
    return scores


def _pass_over_chunks(
    hidden: Tensor,
    teachers: Sequence[Tensor],
    heads: tuple[Head, Head],
    token_ids: Tensor,
    buffers: _Buffers,
    detail: Detail | None,
) -> tuple[Tensor, list[Alternatives]]:
    """(contexts, n, T): the n rows of `_compare`; and the alternatives of the student, then of each teacher."""
    head, teacher_head = heads
    weight = head.weight.to(hidden.dtype)
    teacher_weight = weight if teacher_head.weight is head.weight else teacher_head.weight.to(hidden.dtype)
    stats = buffers.blocks.new_empty(len(teachers), 3 if detail is None else 6, len(hidden))
    tops: list[list[Alternatives]] = [[] for _ in range(1 + len(teachers))]

    def log_z(logits: Tensor, model: int) -> Tensor:
        softmax = torch.softmax(logits, -1, out=buffers.blocks[0, : len(logits)])
        if detail is None:
            return logits.amax(-1) - softmax.amax(-1).log_()
        ids = likeliest(logits, max(1, detail.num_alternatives))
        values = logits.gather(-1, ids)
        found = values[:, 0] - softmax.gather(-1, ids[:, :1])[:, 0].log_()  # as above: these are the maxima
        told = slice(detail.num_alternatives)
        tops[model].append(Alternatives(ids[:, told], values[:, told] - found[:, None]))
        return found

    num_rows = buffers.blocks.shape[1]
    for start in range(0, len(hidden), len(buffers.student)):
        tokens = slice(start, start + len(buffers.student))
        student = head.finish_logits_(multiply(hidden[tokens], weight, buffers.student))
        blocks = [slice(i, i + num_rows) for i in range(0, len(student), num_rows)]
        student_log_z = [log_z(student[rows], 0) for rows in blocks]
        for number, teacher_hidden in enumerate(teachers):
            states = teacher_hidden[tokens].to(hidden.dtype)
            teacher = teacher_head.finish_logits_(multiply(states, teacher_weight, buffers.teacher))
            of_context = stats[number, :, tokens]
            for rows, of_rows in zip(blocks, student_log_z, strict=True):
                normalizers = of_rows, log_z(teacher[rows], 1 + number)
                pair, at = (student[rows], teacher[rows]), token_ids[tokens][rows]
                of_context[:, rows] = _compare(pair, normalizers, at, buffers.blocks[:, : len(at)], detail)
    return stats, [Alternatives(*map(torch.cat, zip(*of_model, strict=True))) for of_model in tops if of_model]


def _compare(
    logits: tuple[Tensor, Tensor],
    log_z: tuple[Tensor, Tensor],
    token_ids: Tensor,
    blocks: Tensor,
    detail: Detail | None,
) -> Tensor:
    """(3 or 6, rows) from both models' logits, (rows, V) each: the two log-probabilities of the token, the divergence,
    and the numbers of `TokenDetail` where there are details. The teacher's softmax is the first of the blocks, (n,
    rows, V). All but the student's logits are overwritten."""
    (student, teacher), (student_log_z, teacher_log_z), at = logits, log_z, token_ids[:, None]
    logp = [x.gather(-1, at)[:, 0] - z for x, z in zip(logits, log_z, strict=True)]
    shift = student_log_z - teacher_log_z
    if detail is None:
        return torch.stack([*logp, blocks[0].mul_(teacher.sub_(student)).sum(-1) + shift])
    q, p = blocks[:2]
    torch.sub(student, student_log_z[:, None], out=p).exp_()
    if detail.loss.is_plain_forward_kl:
        gradient = p.sub_(q)
    else:
        gradient = logit_gradient(detail.loss, student, teacher, list(blocks[2:]))
        p.sub_(q)
    push = -gradient.gather(-1, at)[:, 0]
    norm = cast("Tensor", torch.linalg.vector_norm(gradient, dim=-1))  # pyright: ignore[reportUnknownMemberType]
    gap = teacher.sub_(student)
    divergence = q.mul_(gap).sum(-1) + shift
    expected = p.mul_(gap).sum(-1) + divergence  # p here is p - q: few arrays stay in the cache
    return torch.stack([*logp, divergence, expected, push, norm])


def _num_blocks(detail: Detail | None) -> int:
    """That `_compare` needs; a GPU's are large."""
    if detail is None:
        return 1
    return 2 if detail.loss.is_plain_forward_kl else 7


def _allocate(hidden: Tensor, vocabulary: int, chunk_size: int | None, num_blocks: int) -> _Buffers:
    dtype, device = torch.float64 if hidden.dtype is torch.float64 else torch.float32, hidden.device
    chunk = chunk_length(len(hidden), 2 * vocabulary * dtype.itemsize, device, chunk_size)
    rows = min(chunk, rows_within(BLOCK_BYTES, vocabulary * dtype.itemsize, device))
    student, teacher = torch.empty(2, chunk, vocabulary, dtype=dtype, device=device)
    return _Buffers(student, teacher, torch.empty(num_blocks, rows, vocabulary, dtype=dtype, device=device))


def _check(
    student_hidden: Tensor,
    teacher_hidden: Sequence[Tensor],
    head: Head,
    teacher_head: Head,
    token_ids: Tensor,
    chunk_size: int | None,
) -> None:
    sizes = [("token_ids", tuple(token_ids.shape), tuple(student_hidden.shape[:-1]))]
    sizes += [("teacher_hidden", tuple(x.shape[:-1]), tuple(student_hidden.shape[:-1])) for x in teacher_hidden]
    sizes.append(("head's width", (head.hidden_size,), (student_hidden.shape[-1],)))
    sizes += [("teacher_head's width", (teacher_head.hidden_size,), (x.shape[-1],)) for x in teacher_hidden]
    sizes.append(("teacher_head's vocabulary", (teacher_head.vocabulary_size,), (head.vocabulary_size,)))
    for name, got, expected in sizes:
        if got != expected:
            raise ShapeError(f"{name} is {got}; expected {expected}, to agree with the student's.")
    if token_ids.ndim != 1:
        raise ShapeError(f"token_ids has shape {tuple(token_ids.shape)}; expected (tokens,), one response.")
    if chunk_size is not None and chunk_size < 1:
        raise ConfigError(f"chunk_size is {chunk_size}; expected at least 1, or None for the default.")
