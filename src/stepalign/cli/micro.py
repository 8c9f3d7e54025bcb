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
    from stepalign.data.label import Label
    from stepalign.micro.worlds import labelled, make_world, split_problems
    from stepalign.settings.models import micro_model, resolve_model

    dials = ("min_steps", "max_steps", "min_carries", "max_carries", "foreign", "condensed")
    counts = {"train": args.num_train, "validation": args.num_validation, "test": args.num_test}
    counts |= {LABELS: args.num_labels}
    world = make_world(args.world, **{dial: getattr(args, dial) for dial in dials})
    splits = split_problems(world, counts, args.seed)
    rollouts = labelled(splits.pop(LABELS), args.seed)
    if rollouts:
        path = Path(args.output_dir) / f"{LABELS}.jsonl"
        write_jsonl(path, (Label(rollout, wrong).to_json() for rollout, wrong in rollouts))
        print(f"{path}: {len(rollouts)} labelled rollouts")
    for name, problems in splits.items():
        path = Path(args.output_dir) / f"{name}.jsonl"
        write_jsonl(path, (problem.to_json() for problem in problems))
        print(f"{path}: {len(problems)} problems")
    name = micro_model(args.world)
    print(f"solver: {resolve_model(name)} (or --model {name})")
