"""The command line of `sh scripts/gpu_day.sh`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.gpu_day import HOME, ROOT, cargo

STUDY = ROOT / "runs" / "gsm8k-smollm2"
OF_STUDY = [STUDY / "adapter", *(STUDY / "curated" / f"{split}.jsonl" for split in ("train", "validation", "test"))]


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command and its options."""
    parser = argparse.ArgumentParser(prog="sh scripts/gpu_day.sh", description="Measure on a GPU: docs/gpu.md.")
    parser.add_argument("--home", type=Path, default=HOME, help="where parts, packages and states lie: .gpu_day")
    commands = parser.add_subparsers(dest="command", required=True)
    pack = commands.add_parser("pack", help="where there is a network: download and cut into parts")
    pack.add_argument("--python", default="3.12", help="Python of the GPU machine (default: 3.12)")
    pack.add_argument("--part_mib", type=int, default=50, help="most MiB of a part (default: 50)")
    pack.add_argument("--without", nargs="+", default=[], metavar="NAME", help="packages that are there all the same")
    pack.add_argument("--also", nargs="+", type=Path, default=OF_STUDY, help="files and folders of the checkout")
    commands.add_parser("unpack", help="on the GPU machine: join and install the parts that are there")
    run = commands.add_parser("run", help="on the GPU machine: measure; without PART what is left, in order")
    run.add_argument("parts", nargs="*", metavar="PART", help="tests, kernel, gpu_step, train_step or study")
    run.add_argument("--output_dir", type=Path, help="where the JSON goes (default: $OUT, else runs/gpu)")
    run.add_argument("--limit", type=float, default=540, help="seconds for all of it (default: 540)")
    run.add_argument("--again", action="store_true", help="measure anew what is already measured")
    run.add_argument("--tiny", action="store_true", help="tiny sizes on a CPU, to see that it runs")
    report = commands.add_parser("report", help="make the table of docs/gpu.md of the JSON that came back")
    report.add_argument("directories", nargs="+", type=Path, metavar="DIR", help="where the JSON is, at any depth")
    report.add_argument("--page", type=Path, default=ROOT / "docs" / "gpu.md", help="which page (default: docs/gpu.md)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 1 where a part failed or was stopped, 2 where the command was wrong."""
    args = parse(argv)
    home: Path = args.home.resolve()
    if args.command == "pack":
        cargo.pack(home, args.python, args.part_mib * 2**20, set(args.without), args.also)
        return 0
    if args.command == "unpack":
        return cargo.unpack(home, ROOT)
    if args.command == "report":
        from scripts.gpu_day.table import write_table

        print(write_table(args.directories, args.page))
        return 0
    try:
        from scripts.gpu_day.parts import run
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error}. On the GPU machine: sh scripts/gpu_day.sh unpack") from None
    output = args.output_dir or Path(os.environ.get("OUT") or ROOT / "runs" / "gpu")
    return run(args.parts, home, output.resolve(), args.limit, is_again=args.again, is_tiny=args.tiny)


if __name__ == "__main__":
    sys.exit(main())
