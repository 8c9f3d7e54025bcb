"""`stepalign compare`: train several conditions alike, evaluate their checkpoints, and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stepalign.cli.words import asks_for_help, take
from stepalign.core.errors import ConfigError
from stepalign.core.files import exclusive
from stepalign.settings.commands import COMPARE
from stepalign.settings.given import read_given
from stepalign.settings.recipes import read_recipe

DEFAULT_OUTPUT = "runs/compare"


def run(argv: Sequence[str]) -> None:
    """Entry of the command: `argv` is what follows `compare`."""
    if asks_for_help(COMPARE, argv):
        return
    argv, quick, dry, show_all, power = take(argv, "--quick", "--dry_run", "--show_all", "--power")
    from stepalign.cli.quiet import quieten
    from stepalign.settings.models import MICRO, resolve_model
    from stepalign.settings.problems import is_of_micro_world, own_world

    quieten()
    has_recipe = any(word.split("=")[0] == "--config" for word in argv)
    if quick and has_recipe:
        raise ConfigError("--quick is a recipe of its own; got --config as well. Give one of them.")
    given = read_given(COMPARE, argv)
    model = resolve_model(given.get("model_name_or_path") or MICRO)
    if not has_recipe and is_of_micro_world(model):
        recipe = read_recipe("micro-quick" if quick else "micro")  # the micro models' settings, and no other model's
        given = replace(given, values={**recipe, "micro_world": own_world(model), **given.values})
    if not given.get("output_dir"):
        directory = f"{DEFAULT_OUTPUT}-quick" if quick else DEFAULT_OUTPUT
        given = replace(given, values={**given.values, "output_dir": directory})
    from stepalign.cli.dry_run import print_comparison, print_power
    from stepalign.comparison.compare import compare
    from stepalign.report.comparison.terminal import print_results, print_warnings
    from stepalign.settings.resolve import resolve_comparison

    asked = resolve_comparison(given, offline=dry or power)
    if power:
        print_power(asked)
        return
    if dry:
        print_comparison(asked, show_all)
        return
    with exclusive(asked.directory, timeout_s=1):
        compared = compare(asked)
    if compared.no_signal:
        print(f"no token maps in the report: {compared.no_signal}")
    print_results(compared.results)
    print_warnings(compared.comparison.seed_directories)
    print(f"\nReport: {compared.report}")
