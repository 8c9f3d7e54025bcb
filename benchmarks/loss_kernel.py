"""The divergence loss alone, forward and backward, beside its alternatives and its lower bound.

- stepalign: `stepalign.maths.divergence.divergence_loss`; with clip: the same with a bound on every entry.
- trl: the chunked divergence of `trl.DistillationTrainer`.
- full logits: the logits of all tokens, `log_softmax`, autograd.
- three products: the student's logits, the teacher's, and a gradient times the weight, with no loss between them.

Forward KL of random hidden states, one head, frozen. Sides that compute the loss must agree on the gradient's norm.

    python -m benchmarks --only loss_kernel_fp32 loss_kernel_bf16 loss_kernel_limit loss_kernel_clip
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import torch
from torch.nn.functional import kl_div, linear

from benchmarks.rows import Row, row_of
from benchmarks.runner import Measurement, MeasurementError, Settings, Side, measure_alternately
from stepalign.maths.divergence import divergence_loss
from stepalign.maths.head import Head

PRELOAD = ("stepalign.maths.divergence", "trl.trainer.distillation_trainer")
WIDTHS = {"float32": 512, "bfloat16": 2048}
QUICK_WIDTHS = {"float32": 64, "bfloat16": 256}
CLIP = 0.05
BOUNDS = {"float32": 0.55, "bfloat16": 0.25}  # of TRL's time
MEMORY_BOUND, LIMIT_BOUND, CLIP_BOUND = 0.12, 1.3, 1.1
TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2}  # relative, of the gradient's norm


def products(student, teacher, weight, token_ids, mask):
    student, teacher = student.detach()[0], teacher[0]
    logits = torch.mm(student, weight.T)
    torch.mm(teacher, weight.T)
    return torch.mm(logits, weight)


def stepalign(student, teacher, weight, token_ids, mask, clip=None):
    divergence_loss(student, teacher, Head(weight), token_ids, mask, clip=clip).loss.backward()
    return student.grad


def full_logits(student, teacher, weight, token_ids, mask):
    log_p, log_q = (linear(x, weight).float().log_softmax(-1) for x in (student, teacher))
    kl_div(log_p, log_q, reduction="none", log_target=True).sum(-1).mean().backward()
    return student.grad


def trl(student, teacher, weight, token_ids, mask):
    from trl.trainer.distillation_trainer import _chunked_divergence_loss

    _chunked_divergence_loss(student, teacher, weight, weight, mask, beta=0.0)[0].backward()
    return student.grad


METHODS: dict[str, Callable[..., Any]] = {
    "stepalign": stepalign,
    "stepalign with clip": partial(stepalign, clip=CLIP),
    "trl chunked divergence": trl,
    "full logits": full_logits,
    "three products": products,
}


def prepare(method: str, dtype: str, width: int, num_tokens: int, vocabulary: int, device: str):
    """The call to measure, after a warm-up on two tokens."""
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 1, num_tokens, width, dtype=getattr(torch, dtype), device=device)
    weight = torch.randn(vocabulary, width, dtype=student.dtype, device=device).mul_(width**-0.5)
    token_ids = torch.randint(vocabulary, (1, num_tokens), device=device)
    mask = torch.ones(1, num_tokens, dtype=torch.bool, device=device)
    compute = METHODS[method]
    compute(student[:, :2].clone().requires_grad_(), teacher[:, :2], weight, token_ids[:, :2], mask[:, :2])
    return partial(compute, student.requires_grad_(), teacher, weight, token_ids, mask)


def gradient_norm(gradient: torch.Tensor) -> dict[str, float]:
    return {"gradient_norm": gradient.float().norm().item()}


def measure_methods(
    methods: list[str], dtype: str, settings: Settings, **sizes: int
) -> tuple[str, dict[str, list[Measurement]]]:
    """Which inputs were used, in words, and the measurements of each method."""
    quick = {"num_tokens": 512, "vocabulary": 8192, "width": QUICK_WIDTHS[dtype]}
    full = {"num_tokens": 1024, "vocabulary": 151_936, "width": WIDTHS[dtype]}
    sizes = {**(quick if settings.quick else full), **sizes}
    arguments = {**sizes, "dtype": dtype, "device": settings.device}
    sides = [Side(m, prepare, {"method": m, **arguments}, facts=gradient_norm) for m in methods]
    inputs = f"{dtype}, {sizes['num_tokens']:,} tokens, vocabulary {sizes['vocabulary']:,}, hidden {sizes['width']}"
    return inputs, measure_alternately(sides, settings)


def check_agreement(measured: dict[str, list[Measurement]], dtype: str) -> None:
    norms = {method: median(m.facts["gradient_norm"] for m in runs) for method, runs in measured.items()}
    reference = norms["stepalign"]
    for method, norm in norms.items():
        if abs(norm - reference) > TOLERANCE[dtype] * reference:
            raise MeasurementError(f"gradient norms differ: {reference:.6f} (stepalign) and {norm:.6f} ({method}).")


def run_case(name: str, settings: Settings) -> list[Row]:
    """The rows of one of this module's cases."""
    if name in ("loss_kernel_limit", "loss_kernel_clip"):
        return [row for dtype in WIDTHS for row in _against_own(name, dtype, settings)]
    dtype = {"loss_kernel_fp32": "float32", "loss_kernel_bf16": "bfloat16"}[name]
    inputs, measured = measure_methods(["stepalign", "trl chunked divergence", "full logits"], dtype, settings)
    check_agreement(measured, dtype)
    bounds = {
        ("time", "trl chunked divergence"): settings.bound(BOUNDS[dtype]),
        ("peak_memory", "full logits"): settings.bound(MEMORY_BOUND),
    }
    return [
        row_of(name, metric, measured, "stepalign", baseline, bounds.get((metric, baseline)), inputs=inputs)
        for baseline in ("trl chunked divergence", "full logits")
        for metric in ("time", "peak_memory")
    ]


def _against_own(name: str, dtype: str, settings: Settings) -> list[Row]:
    if name == "loss_kernel_limit":
        subject, baseline, bound = "stepalign", "three products", LIMIT_BOUND
    else:
        subject, baseline, bound = "stepalign with clip", "stepalign", CLIP_BOUND
    inputs, measured = measure_methods([subject, baseline], dtype, settings)
    result = row_of(name, "time", measured, subject, baseline, settings.bound(bound), inputs=inputs)
    return [{**result, "subject": f"{subject}, {dtype}", "baseline": f"{baseline}, {dtype}"}]
