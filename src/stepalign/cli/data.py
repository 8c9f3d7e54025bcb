"""`stepalign data`: problems of any shape, read, and shown or written in our own.

stepalign data gsm8k.csv --output_file problems.jsonl
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stepalign.cli.words import asks_for_help
from stepalign.settings.command_groups import DataSettings
from stepalign.settings.commands import DATA
from stepalign.settings.given import read_given

if TYPE_CHECKING:
    from stepalign.core.problem import Problem
    from stepalign.data.problems import Reading

SHOWN = 5  # problems of the table
LONGEST = 120  # characters of a cell


def run(argv: Sequence[str]) -> None:
    """Read, say on stderr what was taken for what and left out, then write the problems or show the first ones."""
    if asks_for_help(DATA, argv):
        return
    settings = read_given(DATA, argv).make(DataSettings)
    from stepalign.core.errors import ConfigError
    from stepalign.core.files import write_jsonl
    from stepalign.data.problems import read_problems

    output = Path(settings.output_file) if settings.output_file else None
    if output is not None and output.resolve() == Path(settings.source).resolve():
        raise ConfigError(f"{output} would be overwritten by its own problems. Choose another --output_file.")
    reading = read_problems(settings.source, settings.columns, split=settings.split, most=settings.num_rows)
    for line in _said(reading):
        print(line, file=sys.stderr)
    if output is None:
        _show(reading.problems)
    else:
        write_jsonl(output, (problem.to_json() for problem in reading.problems))
        print(f"{len(reading.problems)} problems are in {output}")


def _said(reading: Reading) -> list[str]:
    """What the rows were taken for, and which were left out and why."""
    from stepalign.data.row import listed
    from stepalign.data.sources.stream import said_of_mended

    stream, errors = reading.stream, reading.errors
    lines = [f"{stream.name}: {stream.taken}"]
    if stream.mended:
        lines.append(said_of_mended(stream.mended))
    if errors:
        lines += [f"{len(errors)} of {reading.num_rows} rows are left out:", *listed(errors, stream.name)]
    return lines


def _show(problems: Sequence[Problem]) -> None:
    """A table of the first problems on stdout."""
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "problem", "answer", "solution", title=f"{len(problems)} problems", title_justify="left")
    for problem in problems[:SHOWN]:
        texts = (problem.id, problem.problem, problem.answer, problem.solution or "")
        table.add_row(*(_short(text) for text in texts))
    Console(markup=False, highlight=False, emoji=False).print(table)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
