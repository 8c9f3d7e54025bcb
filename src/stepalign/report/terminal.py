"""Tables in the terminal that fit its width: columns that find no room stand in further tables below.

    >>> by_format = {"refsol": ["75 %"], "stepalign": ["92 %"]}
    >>> print_columns("Teacher", "measure", ["solves"], by_format, Console(width=24, color_system=None))
          Teacher
    ┏━━━━━━━━━┳━━━━━━━━┓
    ┃ measure ┃ refsol ┃
    ...

Where there is no terminal, lines are as long as they are, and tables have the width of an ordinary one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 80  # columns where there is no terminal
GAP = 3  # of the terminal's columns between two of a table's
NAMES = 24  # columns that the names of the rows get at least


def make_console() -> Console:
    """Standard output."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    return console


def print_columns(
    title: str, head: str, names: Sequence[str], columns: Mapping[str, Sequence[str]], console: Console
) -> None:
    """A row a name and a column an entry, in as many tables as it takes for each to fit the width.

    Args:
        head: what the rows are.
        names: of the rows.
        columns: the cells of each column by its name, which may have several lines.
    """
    longest = max((len(name) for name in (head, *names)), default=0)
    for group in blocks({name: _width(name, cells) for name, cells in columns.items()}, longest, console.width):
        table = Table(title=Text(title))
        table.add_column(head)
        for name in group:
            table.add_column(Text(name), justify="right", overflow="fold")
        for i, name in enumerate(names):
            table.add_row(Text(name), *(Text(columns[column][i]) for column in group))
        console.print(table)


def blocks(widths: Mapping[str, int], longest: int, width: int) -> Iterator[list[str]]:
    """The columns in their order, in groups that find room beside the names of the rows.

    Args:
        widths: of each column.
        longest: the longest name of a row; it may be wrapped to `NAMES` columns.
        width: of the terminal.
    """
    room, group = width - min(longest, NAMES) - GAP - 1, list[str]()
    left = room
    for name, needed in widths.items():
        if group and needed + GAP > left:
            yield group
            group, left = [], room
        group.append(name)
        left -= needed + GAP
    if group:
        yield group


def print_lines(lines: Sequence[str], console: Console) -> None:
    """Sentences, broken between words in a terminal alone."""
    for line in lines:
        console.print(Text(line), soft_wrap=not console.is_terminal)


def _width(name: str, cells: Sequence[str]) -> int:
    return max(len(text) for text in (*name.split("\n"), *cells))
