"""What a comparison of the micro world is made of, beside an older checkout: a GRPO step, a self-distillation step, an
evaluation.

    git worktree add ../before v0.1.0
    python -m benchmarks.compare_speed --baseline_dir ../before --json speed.json
    python -m benchmarks.compare_speed --baseline_generate      # beside transformers' generate and TRL's loss

Every part runs in a process of its own, with the environment that its side's `compare` gives its children and one
thread, the sides by turns (A B A B). The steps are the recipe's own from the shipped solver, so both sides see the same
prompts; the first is warm-up. An evaluation is of all validation and test problems. Numbers are medians over steps and
rounds; the ratio is now / baseline. On a busy machine read the processor's seconds, `cpu_s`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parents[1]
CASES = ("grpo", "refsol", "stepalign", "evaluation")
CLOCKS = {"time_s": time.perf_counter, "cpu_s": time.process_time}
Laps = dict[str, list[float]]


def measure_steps(condition: str, num_steps: int) -> Laps:
    """Seconds of each training step after the first."""
    from stepalign import train
    from stepalign.training.callbacks import RunRecorder

    marks: list[dict[str, float]] = []
    on_log = RunRecorder.on_log

    def mark(self: Any, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            marks.append({name: clock() for name, clock in CLOCKS.items()})
        on_log(self, args, state, control, logs=logs, **kwargs)

    RunRecorder.on_log = mark
    with tempfile.TemporaryDirectory() as directory:
        train(
            config="micro",
            condition=condition,
            output_dir=directory,
            max_steps=num_steps + 1,
            save_strategy="no",
            disable_tqdm=True,
        )
    return {name: [b[name] - a[name] for a, b in pairwise(marks)] for name in CLOCKS}


def measure_evaluation() -> Laps:
    """Seconds of one evaluation of the shipped solver, as `compare` does it; loading the model is part of it."""
    from stepalign.evaluation.checkpoints import Evaluator
    from stepalign.grading import Grader
    from stepalign.micro import SOLVER_DIR, World, split_problems
    from stepalign.models import Sampling

    splits = split_problems(World(), {"train": 282, "validation": 30, "test": 60}, 0)
    sampling = Sampling(num_samples=12, temperature=1.1, max_new_tokens=160, batch_size=264)
    with Grader() as grader:
        evaluator = Evaluator({name: splits[name] for name in ("validation", "test")}, sampling, grader, "bare")
        before = {name: clock() for name, clock in CLOCKS.items()}
        evaluator.evaluate(str(SOLVER_DIR))
        return {name: [clock() - before[name]] for name, clock in CLOCKS.items()}


def use_generate() -> None:
    """From here on: samples by transformers' `generate`, all rollouts in GRPO's loss, padding in every forward pass."""
    from stepalign.models import sampling
    from stepalign.training.generation import OwnRollouts
    from stepalign.training.grpo import GroupTrainer
    from stepalign.training.length_bucketing import ONE_PASS
    from stepalign.training.self_distillation import SelfDistillationTrainer

    sampling._sample_batch = generate_batch
    OwnRollouts._can_sample_in_process = lambda self: False
    GroupTrainer._is_sum_over_advantages = lambda self, batches: False
    SelfDistillationTrainer._plan_passes = lambda self: (None, ONE_PASS)


def generate_batch(model: Any, prompts: Any, sampling: Any, eos_token_ids: Any, generator: Any) -> list[list[int]]:
    """As `stepalign.models.sampling._sample_batch`, by `generate`."""
    import torch
    from trl.trainer.utils import pad

    rows = [torch.tensor(prompt) for prompt in prompts for _ in range(sampling.num_samples)]
    torch.manual_seed(generator.initial_seed())
    sampled = model.generate(
        input_ids=pad(rows, 0, "left"),
        attention_mask=pad([torch.ones_like(row) for row in rows], 0, "left"),
        do_sample=True,
        temperature=sampling.temperature,
        top_k=0,
        top_p=1.0,
        max_new_tokens=sampling.max_new_tokens,
        eos_token_id=list(eos_token_ids),
        pad_token_id=0,
    )
    responses = sampled[:, max(map(len, rows)) :].tolist()
    ends = [next((i for i, token in enumerate(ids) if token in eos_token_ids), len(ids)) for ids in responses]
    return [ids[: end + 1] for ids, end in zip(responses, ends, strict=True)]


def run_side(directory: Path | None, case: str, num_steps: int) -> Laps:
    """One process of one side: its checkout's code (None: ours with `use_generate`), this file's measurement."""
    generate = ["--use_generate"] if directory is None else []
    directory = directory or HERE
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(directory / "src"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, str(Path(__file__).resolve()), "--measure", case, "--num_steps", str(num_steps)]
    command += generate
    asked = "import json, stepalign.comparison.tasks as t; print(json.dumps(getattr(t, 'KEEP_MEMORY', {})))"
    own = subprocess.run([sys.executable, "-c", asked], env=environment, check=True, capture_output=True, text=True)
    environment |= json.loads(own.stdout)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{case} in {directory} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(baseline: Path | None, cases: list[str], rounds: int, num_steps: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for case in cases:
        sides: dict[str, Laps] = {side: {name: [] for name in CLOCKS} for side in ("now", "baseline")}
        for _ in range(rounds):
            for side, directory in (("now", HERE), ("baseline", baseline)):
                for name, laps in run_side(directory, case, num_steps).items():
                    sides[side][name] += laps
        rows.append({"case": case, **summarize(sides), "load": round(os.getloadavg()[0], 1), "laps": sides})
        shown = (f"{rows[-1][side][name]:9.2f}" for name in CLOCKS for side in sides)
        ratios = (f"{rows[-1]['ratio'][name]:9.2f}" for name in CLOCKS)
        print(f"{case:12}{''.join(shown)}{''.join(ratios)}", flush=True)
    return rows


def summarize(sides: dict[str, Laps]) -> dict[str, dict[str, float]]:
    """Medians of each side and now / baseline, by clock."""
    medians = {side: {name: median(laps) for name, laps in of_side.items()} for side, of_side in sides.items()}
    return {**medians, "ratio": {name: medians["now"][name] / medians["baseline"][name] for name in CLOCKS}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--baseline_dir", type=Path, help="an older checkout, with src/stepalign in it")
    parser.add_argument(
        "--baseline_generate",
        action="store_true",
        help="this code with generate, all rollouts in the loss, and padding",
    )
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--rounds", type=int, default=2, help="processes of each case and side")
    parser.add_argument("--num_steps", type=int, default=5, help="training steps measured in each process")
    parser.add_argument("--json", type=Path, help="write the records here as well")
    parser.add_argument("--measure", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--use_generate", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        if args.use_generate:
            use_generate()
        case = args.measure
        laps = measure_evaluation() if case == "evaluation" else measure_steps(case, args.num_steps)
        print(json.dumps(laps))
        return
    baseline = None if args.baseline_generate else args.baseline_dir
    if not args.baseline_generate and (baseline is None or not (baseline / "src/stepalign").is_dir()):
        parser.error(f"--baseline_dir is {args.baseline_dir}; expected an older checkout, with src/stepalign in it")
    print(f"{'':12}{'s now':>9}{'s before':>9}{'cpu now':>9}{'before':>9}{'ratio':>9}{'cpu':>9}")
    rows = compare(baseline and baseline.resolve(), args.cases, args.rounds, args.num_steps)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
