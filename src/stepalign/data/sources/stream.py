"""A source of problems as a stream of entries: each row's problem, or why it has none.

    >>> stream = open_source("problems.jsonl", columns=["problem=problem", "answer=answer"])
    >>> entry = next(iter(stream))
    >>> entry.position, entry.problem.id, entry.trouble
    (0, 'micro-0000', '')
    >>> again = open_source("problems.jsonl", columns=["problem=problem", "answer=answer"], state=stream.state())
    >>> next(iter(again)).position          # goes on behind the last entry
    1

A source is a registered name ("openmathreasoning", or the hub's "nvidia/OpenMathReasoning"), a path to a file or a
directory, any other dataset of the hub as owner/name, or an object of Python. Behind a name may stand which split, and
before that which subset: `openai/gsm8k:socratic:test`. `adapter` reads a local copy of a registered one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from stepalign.core.errors import ConfigError, DataError, suggest
from stepalign.core.problem import Problem
from stepalign.core.text import clean_value
from stepalign.data.columns import Columns
from stepalign.data.recognize import described, is_own, recognize
from stepalign.data.row import BrokenLine, Row
from stepalign.data.shape import Shape
from stepalign.data.sources.kinds import Kind
from stepalign.data.sources.place import Opened, Place
from stepalign.data.sources.registered import SOURCES, find_source
from stepalign.data.sources.source import Source, check_columns

HEAD = 1000  # rows by which a shape is recognized
HEADERLESS = " A table without a header: count its columns, --columns problem=1,answer=2."


class Entry(NamedTuple):
    """One row: its number from 0, its problem, and, where that is None, what is wrong with the row; where it stands."""

    position: int
    problem: Problem | None
    trouble: str = ""
    where: str = ""


class ProblemStream:
    """Iterate once. `state()` is plain JSON; so is `fingerprint()`, which changes when the rows may have.

    Attributes:
        name: of the source, for messages.
        taken: what was taken for what, in words; `is_own` where rows are in this program's own form.
        mended: how many rows had half a surrogate pair in a field, by the field.
        takes_broken: whether a line that is no row at all is an entry as well, and does not end the stream.
    """

    def __init__(self, opened: Opened, adapter: Source | Shape, taken: str, hint: str = "") -> None:
        self.name, self.taken = opened.name, taken
        self.is_own = isinstance(adapter, Shape) and is_own(adapter)
        self.mended: Counter[str] = Counter()
        self.takes_broken = False
        self._kind = opened.kind
        self._rows, self._stem, self._adapter, self._hint = opened.rows, opened.stem, adapter, hint

    def __iter__(self) -> Iterator[Entry]:
        """
        Raises:
            DataError: no rows at all, a column that no row has, or rows that cannot be read any further.
        """
        is_first, position = True, self.state()["num_rows"]
        for row in self._rows:
            if isinstance(row, BrokenLine) and not self.takes_broken:
                raise row
            if is_first and isinstance(row, Row):
                if isinstance(self._adapter, Source):
                    check_columns(self._adapter, row, self._hint)
                is_first = False
            yield self._entry(position, row)
            position += 1
        if position == 0:
            got = "an empty file" if self._kind is None else f"{self._kind.value} without any"
            raise DataError(f"{self.name}: no rows; expected at least one problem, got {got}.")

    def state(self) -> dict[str, Any]:
        """What to go on with behind the last entry."""
        return self._rows.state()

    def fingerprint(self) -> list[Any]:
        """Which rows these are."""
        return self._rows.fingerprint()

    def _entry(self, position: int, row: Row | DataError) -> Entry:
        try:
            if isinstance(row, DataError):
                raise row
            problem = self._adapter.to_problem(mended_row(row, self.mended))
        except DataError as error:
            return Entry(position, None, str(error))
        problem = problem if problem.id else replace(problem, id=f"{self._stem}-{position + 1:04}")
        return Entry(position, problem, where=row.where)


def mended_row(row: Row, counts: Counter[str]) -> Row:
    """The row with U+FFFD for half surrogate pairs; the fields that had one are counted."""
    values = clean_value(row.values)
    if values is row.values:
        return row
    counts.update(key for key, value in values.items() if value is not row.values.get(key))
    return Row(row.where, values)


def said_of_mended(counts: Counter[str]) -> str:
    """That text was changed which could not have been written, and in which fields."""
    fields = ", ".join(f"'{field}' ({count} rows)" for field, count in counts.items())
    return f"half surrogate pairs are no characters; each became U+FFFD in {fields}."


def open_source(
    source: object,
    *,
    adapter: str | None = None,
    columns: str | Sequence[str] | Mapping[str, str] = (),
    subset: str | None = None,
    split: str | None = None,
    likely: str | None = None,
    state: dict[str, Any] | None = None,
) -> ProblemStream:
    """The stream of a source, from its start or from where `state` says.

    Args:
        source: registered name, path, owner/name on the hub, or an object of Python.
        adapter: a registered source whose rows a local file has.
        columns: which column is what, see `Columns`; the rest is recognized.
        subset: of a dataset on the hub; None: the registered one's own.
        split: of a dataset with several; None: the likely one, a registered one's own, on the hub else train.
        likely: the split that is taken where there are several and none is asked for.
    Raises:
        ConfigError: an unknown source, adapter, split or part.
        DataError: the file is missing, the hub or the dataset cannot be reached, or its columns cannot be told apart.
    """
    if adapter is not None and columns:
        raise ConfigError("columns and adapter exclude each other; got both. An adapter knows its columns.")
    named = Columns.parse(columns)
    place = Place.of(source, subset, split, likely)
    if adapter is not None and not place.is_local:
        raise ConfigError(f"adapter is for local files; got '{source}'. Give a path, or leave the adapter out.")
    if place.registered is not None and columns:
        raise ConfigError(f"'{place.registered.name}' knows its columns; got columns as well. Leave them out.")
    known = place.registered if adapter is None else _adapter(adapter)
    opened = place.open(has_header=not named.are_numbers, state=state)
    if known is not None:
        hint = f"The adapter '{adapter}' needs it." if adapter else "The dataset has changed."
        return ProblemStream(opened, known, f"rows as in {known.hub}", hint)
    head = opened.rows.head(HEAD)
    if not head:
        return ProblemStream(opened, Shape(), "")
    is_text = opened.kind is Kind.TABLE
    hint = HEADERLESS if is_text and not named.parts else ""
    shape = recognize(head, named, opened.name, hint, is_text)
    kind = f"{opened.kind.value}; " if opened.kind is not None else ""
    return ProblemStream(opened, shape, f"{kind}{described(shape)}")


def _adapter(name: str) -> Source:
    known = find_source(name)
    if known is None:
        raise ConfigError(f"unknown adapter '{name}'{suggest(name, SOURCES)}")
    return known
