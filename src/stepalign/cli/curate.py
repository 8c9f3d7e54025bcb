"""`stepalign curate`: from a large source of problems to those that a solver half masters and a critic can teach.

stepalign curate --config curate-micro --source problems/train.jsonl --output_dir curated
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stepalign.core.environment import describe_environment
from stepalign.core.errors import ConfigError
from stepalign.core.files import exclusive, write_json, write_text

USAGE = "stepalign curate [--config RECIPE.yaml] --source SOURCE --solver_model NAME --output_dir DIR [--key value ...]"
DESCRIPTION = """Find problems to train on: gradable, no duplicates, in the step format, mostly but not always failed by
the solver, and solved by the critic.

  stepalign curate --config curate-micro --source problems/train.jsonl --output_dir curated
  stepalign curate --config curate-openmathreasoning --solver_base_url http://127.0.0.1:8000/v1 \\
      --critic_base_url http://127.0.0.1:8001/v1 --output_dir curated

Writes train.jsonl, validation.jsonl, test.jsonl, funnel.json and its picture. Interrupted at any moment, the same
command goes on where it was. Set num_problems higher and run again to find more."""


def types() -> list[type]:
    from stepalign.cli.critics import critic_arguments
    from stepalign.curation.settings import CurateArguments

    return [CurateArguments, critic_arguments()]


def run(argv: Sequence[str]) -> None:
    """Entry of the command: `argv` is what follows `curate`."""
    from stepalign.cli.config import parse_settings, print_settings

    if "--help" in argv or "-h" in argv or "--help_all" in argv:
        print_settings(types(), USAGE, DESCRIPTION, (), everything=True)
        return
    (arguments, critic), _ = parse_settings(types(), argv)
    curate(arguments, critic)


def curate(arguments: Any, critic: Any) -> None:
    """Run a curation to its end, write what it leaves, and print the funnel."""
    from stepalign.cli.critics import critic_settings
    from stepalign.cli.quiet import quieten
    from stepalign.cli.wiring import resolve_model
    from stepalign.curation import Curation
    from stepalign.curation.funnel import table
    from stepalign.curation.outputs import summarize, write_splits

    quieten()
    if not arguments.output_dir:
        raise ConfigError("curate needs output_dir: where problems and funnel go. Set it on the command line.")
    if arguments.solver_model and not arguments.solver_base_url:
        from stepalign.models.loading import check_model

        arguments.solver_model = resolve_model(arguments.solver_model)
        check_model(arguments.solver_model)
    settings, directory = critic_settings(critic), Path(arguments.output_dir)
    with exclusive(directory, timeout_s=1):
        with _bar(arguments.num_problems) as bar:
            curation = Curation(arguments, settings, on_progress=lambda progress: _show(bar, progress))
            bar.update(min(curation.store.num_kept, arguments.num_problems or curation.store.num_kept))
            curation.run()
        _stamp(directory, asdict(arguments), settings)
        has_critic, store = settings is not None, curation.store
        result = summarize(store, arguments, is_exhausted=curation.is_exhausted, has_critic=has_critic)
        print(table(result))
        write_splits(store, arguments, result["num_kept"])
    _print(result, arguments)


def _bar(num_problems: int) -> Any:
    from tqdm import tqdm

    interval_s = 1.0 if sys.stderr.isatty() else 30.0  # a log wants few lines
    total = num_problems or None
    return tqdm(total=total, desc="found", unit="problem", dynamic_ncols=True, mininterval=interval_s, miniters=0)


def _show(bar: Any, progress: Any) -> None:
    bar.set_postfix(rows=progress.num_rows, samples=progress.num_samples, refresh=False)
    bar.update(min(progress.num_kept, bar.total or progress.num_kept) - bar.n)


def _stamp(directory: Path, settings: dict[str, Any], critic: Any) -> None:
    import yaml

    settings |= asdict(critic) if critic is not None else {}
    write_text(directory / "config.yaml", yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
    write_json(directory / "environment.json", describe_environment())


def _print(result: dict[str, Any], arguments: Any) -> None:
    held_out = arguments.num_validation + arguments.num_test
    print(
        f"{result['num_kept']} problems of {result['num_rows']} rows: {result['num_kept'] - held_out} for training, "
        f"{arguments.num_validation} for validation, {arguments.num_test} for test. See {arguments.output_dir}."
    )
    if arguments.num_problems and result["stopped"] != "found_enough":
        print(f"The source ended before {arguments.num_problems} problems were found.")
