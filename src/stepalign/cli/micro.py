"""`stepalign micro`: write problems of the micro world, and tell where its solver is."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(
        "micro",
        description="Write train, validation and test problems of the micro world as JSONL. The world is constructed: "
        "chained column arithmetic that a tiny shipped solver half masters.",
        epilog="example: stepalign micro --output_dir problems --num_test 60 --condensed 0.5",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--output_dir", required=True, help="where train.jsonl, validation.jsonl and test.jsonl go")
    parser.add_argument("--seed", type=int, default=0, help="seed of the problems")
    parser.add_argument("--num_train", type=int, default=282, help="training problems")
    parser.add_argument("--num_validation", type=int, default=30, help="validation problems")
    parser.add_argument("--num_test", type=int, default=60, help="test problems")
    parser.add_argument("--min_steps", type=int, default=2, help="fewest operations of a problem")
    parser.add_argument("--max_steps", type=int, default=3, help="most operations of a problem, at most 6")
    parser.add_argument("--min_carries", type=int, default=3, help="fewest carries of a problem")
    parser.add_argument("--max_carries", type=int, default=5, help="most carries of a problem")
    parser.add_argument("--foreign", type=float, default=1.0, help="0 to 1; another author's share of reference words")
    parser.add_argument("--condensed", type=float, default=0.0, help="0 to 1; share of reference steps without working")
    return parser


def run(args: argparse.Namespace) -> None:
    """Make the problems and write them."""
    from stepalign.core.files import write_jsonl
    from stepalign.micro import SOLVER_DIR, World, split_problems

    dials = ("min_steps", "max_steps", "min_carries", "max_carries", "foreign", "condensed")
    counts = {"train": args.num_train, "validation": args.num_validation, "test": args.num_test}
    splits = split_problems(World(**{dial: getattr(args, dial) for dial in dials}), counts, args.seed)
    for name, problems in splits.items():
        path = Path(args.output_dir) / f"{name}.jsonl"
        write_jsonl(path, (problem.to_json() for problem in problems))
        print(f"{path}: {len(problems)} problems")
    print(f"solver: {SOLVER_DIR} (or --model micro)")
