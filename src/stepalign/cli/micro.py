"""`stepalign micro`: write problems of the micro world, and tell where its solver is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stepalign.cli.words import asks_for_help
from stepalign.settings.command_groups import MicroProblemsSettings
from stepalign.settings.commands import MICRO
from stepalign.settings.given import read_given

LABELS = "labels"


def run(argv: Sequence[str]) -> None:
    """Make the problems and write them."""
    if asks_for_help(MICRO, argv):
        return
    args = read_given(MICRO, argv).make(MicroProblemsSettings)
    from stepalign.core.files import write_jsonl
    from stepalign.data.labels import Label
    from stepalign.micro import SOLVER_DIR, World, split_problems
    from stepalign.micro.rollouts import labelled_rollouts

    dials = ("min_steps", "max_steps", "min_carries", "max_carries", "foreign", "condensed")
    counts = {"train": args.num_train, "validation": args.num_validation, "test": args.num_test}
    counts |= {LABELS: args.num_labels}
    splits = split_problems(World(**{dial: getattr(args, dial) for dial in dials}), counts, args.seed)
    labelled = labelled_rollouts(splits.pop(LABELS), args.seed)
    if labelled:
        path = Path(args.output_dir) / f"{LABELS}.jsonl"
        write_jsonl(path, (Label(rollout, wrong).to_json() for rollout, wrong in labelled))
        print(f"{path}: {len(labelled)} labelled rollouts")
    for name, problems in splits.items():
        path = Path(args.output_dir) / f"{name}.jsonl"
        write_jsonl(path, (problem.to_json() for problem in problems))
        print(f"{path}: {len(problems)} problems")
    print(f"solver: {SOLVER_DIR} (or --model micro)")
