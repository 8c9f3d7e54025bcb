"""Memory and time of `stepalign inspect` on a large vocabulary, beside bare forward passes of the same model.

A Qwen3 with random weights (hidden 256, 4 layers, vocabulary 151,936, float32) reads a response of 2,000 tokens under
one context. Memory is the peak above the loaded model, each case in a process of its own; times are the best of the
repeats, the cases taking turns in one process. On a busy machine compare the processor's seconds, with
OMP_NUM_THREADS=1.

- bare: `model(input_ids)` on the student's and on the teacher's sequence, logits of every token, nothing kept.
- bare, response: the same with logits of the response alone (`logits_to_keep`).
- usual: the usual way to A_t and the divergence: both models' logits of the response, `log_softmax`, gather.
- score: `stepalign.models.scoring.score_response`.
- inspect: all of `inspect_response`: prompts, checks, scores, steps, localization, alignment.

    python -m benchmarks.inspect_memory              # about a minute on one core
    python -m benchmarks.inspect_memory --quick      # a small vocabulary, seconds
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch

SETTINGS: dict[str, dict[str, Any]] = {
    "full": {"vocabulary": 151_936, "num_tokens": 2000, "repeats": 3},
    "quick": {"vocabulary": 8192, "num_tokens": 300, "repeats": 2},
}
CASES = ("bare", "bare, response", "usual", "score", "inspect")
STEP = "<step_{}>Next put on 78: 2+8=10 carry 1; 6+7+1=14. We get 140.</step_{}>\n"


def build_model(vocabulary: int) -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 4, "head_dim": 64}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    config = Qwen3Config(
        vocab_size=vocabulary, **sizes, **heads, max_position_embeddings=8192, tie_word_embeddings=True
    )
    return Qwen3ForCausalLM(config).eval()


def build_case(num_tokens: int, tokenizer: Any) -> Any:
    from stepalign.signal.case import Case

    text = "".join(STEP.format(i, i) for i in range(1, num_tokens // 20))
    ids = tuple(tokenizer(text, add_special_tokens=False)["input_ids"][:num_tokens])
    text = tokenizer.decode(ids)
    source = {"first_wrong_step": 2, "first_wrong_step_source": "case file"}
    context = STEP.format(1, 1) + "We get 58."
    return Case("random", "Start with 62. Add 78.", text, {"own": context}, response_token_ids=ids, **source)


@torch.no_grad()
def work(case: str, inspected: Any, model: Any, tokenizer: Any) -> None:
    from stepalign.models.scoring import score_response
    from stepalign.signal.inspect import inspect_response, prepare

    if case == "inspect":
        inspect_response(inspected, model, tokenizer)
        return
    prepared = prepare(inspected, model, tokenizer)
    prompts, response = [prepared.student.ids, prepared.teachers["own"].ids], list(prepared.response_ids)
    if case == "score":
        score_response(model, prompts[0], {"own": prompts[1]}, response)
        return
    keep = {} if case == "bare" else {"logits_to_keep": len(response) + 1}
    kept = []
    for prompt in prompts:
        logits = model(input_ids=torch.tensor([[*prompt, *response]]), use_cache=False, **keep).logits[0]
        if case == "usual":
            kept.append(logits[:-1].log_softmax(-1))
        del logits
    if case == "usual":
        student, teacher = kept
        (teacher - student).gather(-1, torch.tensor(response)[:, None])
        (teacher.exp() * (teacher - student)).sum(-1)


def load(setting: dict[str, Any]) -> tuple[Any, Any, Any]:
    from stepalign.micro import SOLVER_DIR
    from stepalign.models.loading import load_tokenizer

    tokenizer = load_tokenizer(str(SOLVER_DIR))
    model = build_model(setting["vocabulary"])
    return build_case(setting["num_tokens"], tokenizer), model, tokenizer


def measure_memory(case: str, setting: dict[str, Any]) -> float:
    """Gigabytes at the peak above the loaded model."""
    inspected, model, tokenizer = load(setting)
    work(case, build_case(100, tokenizer), model, tokenizer)  # what the first call loads and allocates for good
    before = reset_peak()
    work(case, inspected, model, tokenizer)
    return (peak() - before) / 1e9


def measure_time(setting: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Best seconds of each case, the cases taking turns: {"wall_s", "cpu_s"}."""
    loaded = load(setting)
    best = {case: {"wall_s": float("inf"), "cpu_s": float("inf")} for case in CASES}
    for _ in range(setting["repeats"]):
        for case in CASES:
            wall, cpu = time.perf_counter(), time.process_time()
            work(case, *loaded)
            took = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
            best[case] = {key: min(best[case][key], took[key]) for key in took}
    return best


def reset_peak() -> int:
    """Bytes in use now; where the system can, the peak begins anew from here."""
    import psutil

    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return psutil.Process().memory_info().rss


def peak() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small vocabulary")
    args = parser.parse_args()
    setting = SETTINGS["quick" if args.quick else "full"]
    load_before = os.getloadavg()[0]
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, maxtasksperchild=1) as pool:
        memory: dict[str, float] = {}
        for case in CASES:
            memory[case] = pool.apply(measure_memory, (case, setting))
            print(f"{case}: {memory[case]:.3f} GB", file=sys.stderr, flush=True)
        times = pool.apply(measure_time, (setting,))
    record = {
        **setting,
        "torch": torch.__version__,
        "num_threads": torch.get_num_threads(),
        "load": [round(load_before, 1), round(os.getloadavg()[0], 1)],
        "extra_gb": {case: round(value, 3) for case, value in memory.items()},
        "seconds": {case: {key: round(value, 3) for key, value in took.items()} for case, took in times.items()},
        "ratio_to_bare": {
            case: {key: round(took[key] / times["bare"][key], 3) for key in took} for case, took in times.items()
        },
    }
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
