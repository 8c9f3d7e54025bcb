"""The divergence as the formulas have it: full logits, float64, autograd. What the kernel is tested against."""

import torch

from stepalign.maths.head import Head


def logits(hidden, head: Head):
    z = hidden @ head.weight.T
    if head.bias is not None:
        z = z + head.bias
    z = z * head.logit_scale
    return z if head.softcap is None else head.softcap * torch.tanh(z / head.softcap)


def entries(log_p, log_q, kind, beta):
    p, q = log_p.exp(), log_q.exp()
    beta = {"forward_kl": 0, "reverse_kl": 1}.get(kind, beta)
    if beta == 0:
        return q * (log_q - log_p)
    if beta == 1:
        return p * (log_p - log_q)
    log_m = ((1 - beta) * p + beta * q).log()
    return beta * q * (log_q - log_m) + (1 - beta) * p * (log_p - log_m)


def to_buckets(log_p, log_q, top_k):
    top = log_q.topk(min(top_k, log_q.shape[-1])).indices
    in_tail = torch.ones_like(log_q, dtype=torch.bool).scatter(-1, top, False)

    def buckets(x):
        tail = (x.exp() * in_tail).sum(-1, keepdim=True).clamp(min=1e-38).log()
        return torch.cat([x.gather(-1, top), tail], -1)

    return buckets(log_p), buckets(log_q)


def divergence_per_token(
    student_hidden,
    teacher_hidden,
    head,
    *,
    kind="forward_kl",
    beta=0.5,
    temperature=1.0,
    clip=None,
    top_k=None,
    teacher_head=None,
):
    """(B, T), differentiable."""
    log_p = torch.log_softmax(logits(student_hidden, head) / temperature, -1)
    log_q = torch.log_softmax(logits(teacher_hidden, teacher_head or head) / temperature, -1).detach()
    if top_k is not None:
        log_p, log_q = to_buckets(log_p, log_q, top_k)
    entry = entries(log_p, log_q, kind, beta)
    return (entry if clip is None else entry.clamp(max=clip)).sum(-1)
