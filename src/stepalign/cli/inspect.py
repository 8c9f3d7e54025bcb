"""`stepalign inspect`: what does each context change at each token of one response, and is that where the error is?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stepalign.cli.words import asks_for_help, report_hint
from stepalign.core.errors import ConfigError
from stepalign.settings.command_groups import InspectSettings
from stepalign.settings.commands import INSPECT
from stepalign.settings.given import read_given

FIGURES = (".png", ".svg", ".pdf")


def run(argv: Sequence[str]) -> None:
    """Inspect, write and print each case."""
    if asks_for_help(INSPECT, argv):
        return
    given = read_given(INSPECT, argv)
    settings = given.make(InspectSettings)
    figure = None if settings.figure is None else Path(settings.figure)
    if figure is not None and figure.suffix.lower() not in FIGURES:
        raise ConfigError(f"--figure {figure}: got '{figure.suffix}'; expected one of {', '.join(FIGURES)}.")
    from stepalign.cli.quiet import quieten
    from stepalign.report.inspection.terminal import print_inspection
    from stepalign.settings.resolve import resolve_critic
    from stepalign.signal.cases import cases_of
    from stepalign.signal.inspection import inspect_cases, keep_in_run, write_inspection

    quieten()
    cases = cases_of(settings, resolve_critic(given))
    for case, result in zip(cases, inspect_cases(cases, settings.dtype, settings.num_alternatives), strict=True):
        name = f"rollout-{case.rollout['index']}" if len(cases) > 1 else ""
        own = figure if figure is None or not name else figure.with_stem(f"{figure.stem}-{name}")
        written = write_inspection(result, Path(settings.output_dir) / name, own, settings.palette)
        if settings.run is not None:
            keep_in_run(result, Path(settings.run))
        if name:
            print(name)
        print_inspection(result)
        print(f"Written: {', '.join(map(str, written))}")
    if settings.run is not None:
        print(report_hint(settings.run))
