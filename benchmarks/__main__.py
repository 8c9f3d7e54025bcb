"""All benchmarks, side by side: `benchmarks.json` and a table, `benchmarks.md`.

    python -m benchmarks --output_dir runs/benchmarks                   # all cases, full sizes
    python -m benchmarks --output_dir OUT --only loss_kernel_fp32       # one of them
    python -m benchmarks --output_dir OUT --quick                       # small sizes: does it run at all?

What each case compares, and how to read the numbers: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine, is_busy, load, versions
from benchmarks.report import write_report
from benchmarks.runner import MeasurementError, Settings, preload, show
from stepalign.cli.main import guarded
from stepalign.core.errors import ConfigError, suggest

CASES = {
    "loss_kernel_fp32": "benchmarks.loss_kernel",
    "loss_kernel_bf16": "benchmarks.loss_kernel",
    "loss_kernel_limit": "benchmarks.loss_kernel",
    "loss_kernel_clip": "benchmarks.loss_kernel",
    "train_step": "benchmarks.train_step",
    "slopes": "benchmarks.slopes",
    "compare": "benchmarks.compare",
    "compare_speed": "benchmarks.compare_speed",
    "critique": "benchmarks.critique",
    "curate": "benchmarks.curate",
    "inspect": "benchmarks.inspection",
    "localize": "benchmarks.localizing",
    "programs": "benchmarks.programs",
}
ON_CUDA = (*(name for name in CASES if name.startswith("loss_kernel")), "train_step")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output_dir", type=Path, required=True, help="where the two files go")
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"cases to run: {', '.join(CASES)}")
    parser.add_argument("--runs", type=int, default=None, help="runs of each side; default 5, with --quick 2")
    parser.add_argument("--threads", type=int, help="threads of torch; default: torch's own")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help=f"cuda: only {', '.join(ON_CUDA)}")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--baseline_dir", type=Path, help="compare_speed: an older checkout instead of other code")
    parser.add_argument("--full", action="store_true", help="compare: the micro recipe instead of micro-quick")
    return parser.parse_args(argv)


def chosen_cases(only: Sequence[str] | None, device: str) -> list[str]:
    """The cases to run, in the order of `CASES`.

    Raises:
        ConfigError: there is no such case, or it does not run on the device.
    """
    for name in only or ():
        if name not in CASES:
            raise ConfigError(f"unknown case '{name}'{suggest(name, CASES)}")
        if device == "cuda" and name not in ON_CUDA:
            raise ConfigError(f"case '{name}' is measured on a CPU; got --device cuda. On cuda: {', '.join(ON_CUDA)}.")
    names = only or (ON_CUDA if device == "cuda" else CASES)
    return [name for name in CASES if name in names]


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure and write; returns what `benchmarks.json` holds."""
    names = chosen_cases(args.only, args.device)
    for option in ("runs", "threads"):
        if getattr(args, option) is not None and getattr(args, option) < 1:
            raise ConfigError(f"--{option} is {getattr(args, option)}; expected at least 1.")
    if args.baseline_dir is not None and not (args.baseline_dir / "src" / "stepalign").is_dir():
        raise ConfigError(
            f"--baseline_dir is {args.baseline_dir}; expected an older checkout, with src/stepalign in it."
        )
    args.output_dir.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        runs=args.runs or (2 if args.quick else 5),
        quick=args.quick,
        full=args.full,
        threads=args.threads,
        device=args.device,
        baseline_dir=args.baseline_dir,
        log=(args.output_dir / "log.txt").resolve(),
    )
    results: dict[str, Any] = {
        "machine": describe_machine(args.threads),
        "versions": versions(),
        "settings": {k: v for k, v in vars(settings).items() if k not in ("log", "baseline_dir")},
        "cases": [],
        "failures": [],
    }
    if is_busy():
        show(f"This machine is busy (load {load()}): wall times mean little. cpu_ratio compares processor time.")
    modules = [import_module(CASES[name]) for name in names]
    preload(sorted({module for m in modules for module in m.PRELOAD}), args.device)
    for i, (name, module) in enumerate(zip(names, modules, strict=True)):
        print(f"[{i + 1}/{len(names)}] {name}", file=sys.stderr, flush=True)
        start = time.perf_counter()
        try:
            results["cases"] += module.run_case(name, settings)
        except MeasurementError as error:
            results["failures"].append({"name": name, "reason": str(error)})
            show(f"not measured: {error}")
        show(f"{name}: {time.perf_counter() - start:.0f} s in all")
        results["machine"]["load_after"] = load()
        write_report(args.output_dir, results)
    return results


def measure_and_print(args: argparse.Namespace) -> int:
    """The exit code: 1 where a case could not be measured."""
    failures = run(args)["failures"]
    print((args.output_dir / "benchmarks.md").read_text())
    return 1 if failures else 0


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    if args.threads:
        os.environ["OMP_NUM_THREADS"] = str(args.threads)  # for the commands that compare and critique start
    return guarded(lambda: measure_and_print(args))


if __name__ == "__main__":
    sys.exit(main())
