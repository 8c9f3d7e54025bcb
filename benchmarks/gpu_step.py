"""One training step of a real size on a GPU: seconds, memory, tokens and FLOP/s of each of its stages.

    python -m benchmarks.gpu_step --output_dir runs/gpu_step                 # on a GPU; says what it needs
    python -m benchmarks.gpu_step --output_dir OUT --skip_generation         # random rollouts in place of sampled ones
    python -m benchmarks.gpu_step --output_dir OUT --tiny --device cpu       # does it run?

Qwen3-1.7B's architecture and vocabulary with random weights in bfloat16, LoRA 64, gradient checkpointing, 32 prompts of
about 96 tokens, contexts of about 1,024, responses of exactly 2,048 (the model is kept from ending them earlier).
`SelfDistillationTrainer.train()` itself runs, a warm-up step and then the measured ones, with a clock at its parts:

- generation: transformers' `generate` for all prompts at once, as TRL calls it.
- forward and loss: the student's pass and the teacher's; the loss computes its gradient by the last hidden states in
  the same go.
- backward: the rest of the backward pass.
- optimizer: AdamW's step.
- other: prompts, clipping, logging. Rollouts are not graded and no critic is asked.

What counts as an operation, and what GPUs can do at their best: benchmarks/flops.py.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks import report
from benchmarks.flops import PEAK_TFLOPS, count, generation_flops, memory_bytes, pass_flops
from benchmarks.sizes import QWEN3_1_7B, Sizes
from benchmarks.stages import BACKWARD, FORWARD, GENERATION, STAGES, Clock, Step
from stepalign.cli.main import guarded
from stepalign.cli.quiet import quieten
from stepalign.core.errors import ConfigError

NUM_PROMPTS, TINY_NUM_PROMPTS = 32, 4
TINY = Sizes(vocabulary=2048, hidden=64, num_layers=2, batch_size=2, longest=12, prompt=12, context=24, lora_r=4)
COLUMNS = ("stage", "seconds", "tokens/s", "TFLOP/s", "of the peak", "peak memory, GB")
TEXT = "Start with 62. Add 78. Add 8. Add 245. "


@dataclass(frozen=True)
class Device:
    """What is measured on; `peak_tflops` of dense bfloat16 is None where it is not known."""

    name: str
    memory_gb: float | None
    peak_tflops: float | None


def find_device(kind: str, peak_tflops: float | None, sizes: Sizes, num_prompts: int) -> Device:
    """Raises ConfigError where no CUDA device is visible; it says what one would need."""
    if kind == "cpu":
        return Device("cpu", None, peak_tflops)
    if not torch.cuda.is_available():
        need = {name: value / 1e9 for name, value in memory_bytes(sizes, num_prompts).items()}
        *held, cache, activations = need.values()
        parts = ", ".join(f"{name} {gigabytes:.1f}" for name, gigabytes in need.items())
        raise ConfigError(
            "no CUDA device is visible; expected one with bfloat16 and about "
            f"{sum(held) + max(cache, activations):.0f} GB of free memory ({parts}; the last two take turns). "
            "Whether it runs at all: --tiny --device cpu."
        )
    name = torch.cuda.get_device_name()
    memory_gb = torch.cuda.get_device_properties(0).total_memory / 1e9
    return Device(name, round(memory_gb, 1), peak_tflops or PEAK_TFLOPS.get(name))


def make_trainer(sizes: Sizes, num_prompts: int, num_steps: int, directory: str) -> Any:
    """Our trainer on as many problems as a step has; every response is `sizes.longest` tokens long."""
    from transformers import PrinterCallback

    from benchmarks.trainers import make_model
    from stepalign.core.problem import Problem
    from stepalign.feedback.from_references import RefSol
    from stepalign.micro import SOLVER_DIR
    from stepalign.models.loading import load_tokenizer
    from stepalign.settings.trainer import SelfDistillationConfig
    from stepalign.training.self_distillation import SelfDistillationTrainer

    tokenizer = load_tokenizer(str(SOLVER_DIR))

    def text(num_tokens: int) -> str:
        return tokenizer.decode(tokenizer(TEXT * num_tokens, add_special_tokens=False)["input_ids"][:num_tokens])

    problem, context = text(sizes.prompt), text(sizes.context)
    args = SelfDistillationConfig(
        output_dir=directory,
        per_device_train_batch_size=sizes.batch_size,
        gradient_accumulation_steps=num_prompts // sizes.batch_size,
        gradient_checkpointing=True,
        max_steps=num_steps,
        learning_rate=5e-6,
        max_completion_length=sizes.longest,
        generation_kwargs={"min_new_tokens": sizes.longest},
        bf16=sizes.dtype == "bfloat16",
        use_cpu=sizes.device == "cpu",
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer: Any = SelfDistillationTrainer(
        make_model(sizes),
        feedback=RefSol(),
        problems=[Problem(f"{i}", problem, "0", solution=context) for i in range(num_prompts)],
        args=args,
        prompt_templates="bare",
        processing_class=tokenizer,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def random_rollouts(sizes: Sizes) -> Callable[..., list[list[int]]]:
    """Stands in for generation; the upper half of the vocabulary holds no token that ends a response."""
    generator = torch.Generator().manual_seed(0)

    def rollouts(prompt_ids: Sequence[Sequence[int]], *_: Any, **__: Any) -> list[list[int]]:
        shape = (len(prompt_ids), sizes.longest)
        return torch.randint(sizes.vocabulary // 2, sizes.vocabulary, shape, generator=generator).tolist()

    return rollouts


def measure(sizes: Sizes, num_prompts: int, num_steps: int, skip_generation: bool = False) -> list[Step]:
    """`num_steps` steps, after one that is not kept."""
    clock = Clock(sizes.device == "cuda")
    with tempfile.TemporaryDirectory() as directory:
        trainer = make_trainer(sizes, num_prompts, 1 + num_steps, directory)
        clock.watch(trainer)
        if skip_generation:
            trainer._generate_single_turn = random_rollouts(sizes)
        trainer.train()
    return clock.steps[1:]


def summarize(steps: Sequence[Step], sizes: Sizes, device: Device) -> dict[str, Any]:
    """Medians over the steps, of each stage and of the whole step; stages that were left out are not there."""
    lengths, parameters = steps[0].lengths, count(sizes)
    prompts, teacher_prompts, responses = map(sum, lengths)
    passes = pass_flops(parameters, lengths)
    tokens = {GENERATION: responses, FORWARD: prompts + teacher_prompts + 2 * responses, BACKWARD: prompts + responses}
    flops = {GENERATION: generation_flops(parameters, lengths), FORWARD: passes.forward, BACKWARD: passes.backward}
    stages: dict[str, Any] = {}
    for stage in (name for name in STAGES if name in steps[0].seconds):
        runs = [step.seconds[stage] for step in steps]
        peak = max(step.peak_bytes.get(stage, 0) for step in steps)
        rates = _rates(runs, tokens.get(stage), flops.get(stage), device)
        stages[stage] = {**rates, "peak_memory_gb": peak / 1e9 if peak else None}
    whole = [sum(step.seconds.values()) for step in steps]
    total = sum(flops[stage] for stage in stages if stage in flops)
    lengths_of = {"prompts": prompts, "teacher_prompts": teacher_prompts, "responses": responses}
    return {"step": _rates(whole, responses, total, device), "stages": stages, "tokens": lengths_of}


def _rates(runs: list[float], num_tokens: int | None, flops: float | None, device: Device) -> dict[str, Any]:
    seconds = median(runs)
    tflops = flops / seconds / 1e12 if flops else None
    return {
        "seconds": seconds,
        "runs_s": runs,
        "tokens": num_tokens,
        "tokens_per_s": num_tokens / seconds if num_tokens else None,
        "tflops": tflops,
        "share_of_peak": tflops / device.peak_tflops if tflops and device.peak_tflops else None,
    }


def to_markdown(results: dict[str, Any]) -> str:
    device, summary = results["device"], results["summary"]
    peak = f"{device['peak_tflops']:g} TFLOP/s" if device["peak_tflops"] else "of unknown peak; give --peak_tflops"
    rows: list[list[str]] = []
    for name, row in (*summary["stages"].items(), ("step", summary["step"])):
        share, memory = row["share_of_peak"], row.get("peak_memory_gb")
        cells = [
            name,
            f"{row['seconds']:.3f}",
            f"{row['tokens_per_s']:,.0f}" if row["tokens_per_s"] else "",
            f"{row['tflops']:.3g}" if row["tflops"] else "",
            f"{share:.1%}" if share else "",
            f"{memory:.1f}" if memory else "",
        ]
        rows.append(cells)
    return (
        f"{device['name']}, {peak}; {results['inputs']}. Medians of {results['num_steps']} steps.\n\n"
        f"{report.table(COLUMNS, rows)}\n\n"
        "The step's tokens are those of its responses. Operations are the model's: checkpointing's second forward pass "
        "is in the time and not in the operations.\n"
    )


def run(args: argparse.Namespace) -> None:
    sizes = replace(TINY if args.tiny else QWEN3_1_7B, device=args.device)
    num_prompts = TINY_NUM_PROMPTS if args.tiny else NUM_PROMPTS
    size = args.micro_batch_size or sizes.batch_size
    if size < 1 or num_prompts % size or args.steps < 1:
        raise ConfigError(
            f"--micro_batch_size {size}, --steps {args.steps}: expected a divisor of {num_prompts}, the number of "
            "prompts, and 1 or more."
        )
    sizes = replace(sizes, batch_size=size, longest=args.max_new_tokens or sizes.longest)
    device = find_device(args.device, args.peak_tflops, sizes, num_prompts)
    steps = measure(sizes, num_prompts, args.steps, args.skip_generation)
    summary = summarize(steps, sizes, device)
    results = {
        "device": asdict(device),
        "inputs": f"{num_prompts} prompts, {sizes.longest} tokens each, {sizes.batch_size} at a time, {sizes.dtype}, "
        f"hidden {sizes.hidden}, {sizes.num_layers} layers, vocabulary {sizes.vocabulary:,}, LoRA {sizes.lora_r}",
        "sizes": asdict(sizes),
        "num_steps": args.steps,
        "summary": summary,
    }
    report.save(args.output_dir, "gpu_step", results, to_markdown(results))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=Path, required=True, help="where gpu_step.json and gpu_step.md go")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="cpu: for --tiny")
    parser.add_argument("--steps", type=int, default=2, help="measured steps, after one to warm up")
    parser.add_argument("--micro_batch_size", type=int, help="rollouts in one backward pass; default 4, with --tiny 2")
    parser.add_argument("--max_new_tokens", type=int, help="tokens of each response; default 2048, with --tiny 12")
    parser.add_argument("--skip_generation", action="store_true", help="random responses instead of sampled ones")
    parser.add_argument("--peak_tflops", type=float, help="the device's, dense bfloat16, where it is not in the table")
    parser.add_argument("--tiny", action="store_true", help="a tiny model and batch, to see that it runs")
    args = parser.parse_args()
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    quieten()
    return guarded(lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
