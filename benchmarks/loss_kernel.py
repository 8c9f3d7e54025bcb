"""Time and extra memory of the divergence loss, forward and backward, beside its alternatives and its lower bound.

- products: the three matrix products alone (student's logits, teacher's logits, gradient times weight), on all tokens.
- stepalign: `stepalign.maths.divergence.divergence_loss`.
- full logits: the logits of all tokens, `log_softmax`, autograd.
- trl: the chunked divergence of `trl.DistillationTrainer`.

Forward KL, one head, frozen. Each case runs in a process of its own; times are the best of its repeats, the memory is
the peak above what the inputs take. On a busy machine compare the processor's seconds, with OMP_NUM_THREADS=1 so that
no thread waits for another.

    python -m benchmarks.loss_kernel                          # 1,024 tokens, vocabulary 151,936, two settings
    python -m benchmarks.loss_kernel --quick --json out.json  # a small vocabulary, seconds
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import time
from pathlib import Path
from typing import Any

import psutil
import torch
from torch.nn.functional import kl_div, linear

from stepalign.maths.divergence import divergence_loss
from stepalign.maths.head import Head

SETTINGS = {
    "full": {"num_tokens": 1024, "vocabulary": 151_936, "widths": {"float32": 512, "bfloat16": 2048}, "repeats": 2},
    "quick": {"num_tokens": 256, "vocabulary": 8192, "widths": {"float32": 64, "bfloat16": 256}, "repeats": 3},
}


def products(student, teacher, weight, token_ids, mask):
    student, teacher = student.detach()[0], teacher[0]
    logits = torch.mm(student, weight.T)
    torch.mm(teacher, weight.T)
    return torch.mm(logits, weight)


def stepalign(student, teacher, weight, token_ids, mask):
    divergence_loss(student, teacher, Head(weight), token_ids, mask).loss.backward()
    return student.grad


def full_logits(student, teacher, weight, token_ids, mask):
    log_p, log_q = (linear(x, weight).float().log_softmax(-1) for x in (student, teacher))
    kl_div(log_p, log_q, reduction="none", log_target=True).sum(-1).mean().backward()
    return student.grad


def trl(student, teacher, weight, token_ids, mask):
    from trl.trainer.distillation_trainer import _chunked_divergence_loss

    _chunked_divergence_loss(student, teacher, weight, weight, mask, beta=0.0)[0].backward()
    return student.grad


CASES = {"products": products, "stepalign": stepalign, "full logits": full_logits, "trl": trl}


def measure(case: str, dtype: str, width: int, num_tokens: int, vocabulary: int, repeats: int, device: str):
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 1, num_tokens, width, dtype=getattr(torch, dtype), device=device)
    weight = torch.randn(vocabulary, width, dtype=student.dtype, device=device).mul_(width**-0.5)
    token_ids = torch.randint(vocabulary, (1, num_tokens), device=device)
    mask = torch.ones(1, num_tokens, dtype=torch.bool, device=device)
    synchronize = torch.cuda.synchronize if device == "cuda" else lambda: None
    CASES[case](student[:, :2].clone().requires_grad_(), teacher[:, :2], weight, token_ids[:, :2], mask[:, :2])
    before = psutil.Process().memory_info().rss if device == "cpu" else torch.cuda.memory_allocated()
    seconds, cpu_seconds = [], []
    for _ in range(repeats):
        hidden = student.clone().requires_grad_()
        synchronize()
        start, cpu_start = time.perf_counter(), time.process_time()
        gradient = CASES[case](hidden, teacher, weight, token_ids, mask)
        synchronize()
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    cpu_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    peak = cpu_peak if device == "cpu" else torch.cuda.max_memory_allocated()
    return {
        "case": case,
        "dtype": dtype,
        "width": width,
        "num_tokens": num_tokens,
        "vocabulary": vocabulary,
        "device": device,
        "num_threads": torch.get_num_threads(),
        "time_s": round(min(seconds), 3),
        "cpu_s": round(min(cpu_seconds), 3),
        "extra_gb": round((peak - before) / 1e9, 3),
        "gradient_norm": None if case == "products" else gradient.float().norm().item(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small vocabulary")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--json", type=Path, help="write the records here as well")
    args = parser.parse_args()
    setting: dict[str, Any] = dict(SETTINGS["quick" if args.quick else "full"])
    widths = setting.pop("widths")
    load = os.getloadavg()[0]
    print(f"load {load:.1f} on {os.cpu_count()} cores, torch {torch.__version__}")
    print(f"{'dtype':10}{'case':14}{'time, s':>9}{'cpu, s':>9}{'extra, GB':>11}{'gradient norm':>15}")
    records = []
    for dtype, width in widths.items():
        for case in args.cases:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                record = pool.apply(measure, (case, dtype, width), {**setting, "device": args.device})
            records.append(record | {"load": round(load, 1)})
            norm = record["gradient_norm"]
            shown = "" if norm is None else f"{norm:.6f}"
            numbers = f"{record['time_s']:9.3f}{record['cpu_s']:9.3f}{record['extra_gb']:11.3f}{shown:>15}"
            print(f"{dtype:10}{case:14}{numbers}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(records, indent=2) + "\n")


if __name__ == "__main__":
    main()
