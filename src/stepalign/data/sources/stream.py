"""A source of problems as a stream of entries: each row's problem, or why it has none.

    >>> stream = open_source("problems.jsonl", columns=["problem=problem", "answer=answer"])
    >>> entry = next(iter(stream))
    >>> entry.position, entry.problem.id, entry.trouble
    (0, 'micro-0000', '')
    >>> again = open_source("problems.jsonl", columns=["problem=problem", "answer=answer"], state=stream.state())
    >>> next(iter(again)).position          # goes on behind the last entry
    1

A source is a registered name ("openmathreasoning", or the hub's "nvidia/OpenMathReasoning"), a path to a file or a
directory of files, or any other dataset of the hub as owner/name. `adapter` reads a local copy of a registered one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from stepalign.core.errors import ConfigError, DataError, suggest
from stepalign.core.problem import Problem
from stepalign.data.jsonl import Row
from stepalign.data.sources import aime, gsm8k, math_500, openmathreasoning, processbench
from stepalign.data.sources.files import FileRows, find_files, is_path
from stepalign.data.sources.mapping import ColumnMapping
from stepalign.data.sources.source import Adapter, Source, check_columns

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (openmathreasoning.SOURCE, gsm8k.SOURCE, math_500.SOURCE, *aime.SOURCES, processbench.SOURCE)
}
HINT = "Say which it is, for example: --columns problem=question answer=final."


class Entry(NamedTuple):
    """One row: its number from 0, its problem, and, where that is None, what is wrong with the row."""

    position: int
    problem: Problem | None
    trouble: str = ""


class Rows(Protocol):
    """Rows that can be read on from a state."""

    def __iter__(self) -> Iterator[Row | DataError]: ...

    def state(self) -> dict[str, Any]:
        """What to go on with behind the last row given out; plain JSON."""
        ...

    def fingerprint(self) -> list[Any]:
        """Plain JSON that changes when the rows may have."""
        ...


class ProblemStream:
    """The entries of a source, to be iterated once."""

    def __init__(self, name: str, rows: Rows, adapter: Adapter, hint: str = HINT) -> None:
        self.name = name
        self._rows, self._adapter, self._hint = rows, adapter, hint

    def __iter__(self) -> Iterator[Entry]:
        """
        Raises:
            DataError: no rows at all, a column that no row has, or rows that cannot be read any further.
        """
        is_first, position = True, self.state()["num_rows"]
        for row in self._rows:
            if is_first and isinstance(row, Row):
                check_columns(self._adapter, row, self._hint)
                is_first = False
            yield self._entry(position, row)
            position += 1
        if position == 0:
            raise DataError(f"{self.name}: no rows; expected at least one problem.")

    def state(self) -> dict[str, Any]:
        """What to go on with behind the last entry given out."""
        return self._rows.state()

    def fingerprint(self) -> list[Any]:
        """Changes when the rows may have."""
        return self._rows.fingerprint()

    def _entry(self, position: int, row: Row | DataError) -> Entry:
        try:
            if isinstance(row, DataError):
                raise row
            return Entry(position, self._adapter.to_problem(row))
        except DataError as error:
            return Entry(position, None, str(error))


def find_source(name: str) -> Source | None:
    """The registered source of that name or hub path, in any spelling of case and hyphens."""
    plain = name.casefold().replace("-", "_")
    return next((s for s in SOURCES.values() if plain in (s.name, s.hub.casefold().replace("-", "_"))), None)


def open_source(
    name: str,
    *,
    adapter: str | None = None,
    columns: Sequence[str] = (),
    subset: str | None = None,
    split: str | None = None,
    state: dict[str, Any] | None = None,
) -> ProblemStream:
    """The stream of a source, from its start or from where `state` says.

    Args:
        name: registered name, path, or owner/name on the hub.
        adapter: a registered source whose rows a local file has.
        columns: part=column words, see `ColumnMapping`; for files and for datasets that are not registered.
        subset: of a dataset on the hub; None: the registered one's own.
        split: of a dataset on the hub; None: the registered one's own, else train.
    Raises:
        ConfigError: an unknown source, adapter, split or part.
        DataError: the file is missing, or the hub or the dataset cannot be reached.
    """
    if adapter is not None and columns:
        raise ConfigError("columns and adapter exclude each other; got both. An adapter knows its columns.")
    source = None if is_path(name) else find_source(name)
    if source is None and (is_path(name) or Path(name).exists()):
        if subset or split:
            raise ConfigError(f"subset and split are for datasets of the hub; got the path '{name}'.")
        paths = find_files(name)
        how = _registered(adapter) if adapter is not None else ColumnMapping.parse(columns, prefix=paths[0].stem)
        hint = HINT if adapter is None else f"The adapter '{adapter}' needs it."
        return ProblemStream(name, FileRows(paths, state), how, hint)
    if adapter is not None:
        raise ConfigError(f"adapter is for local files; got '{name}'. Give a path, or leave the adapter out.")
    return _open_hub(name, source, columns, subset, split, state)


def _open_hub(
    name: str,
    source: Source | None,
    columns: Sequence[str],
    subset: str | None,
    split: str | None,
    state: dict[str, Any] | None,
) -> ProblemStream:
    from stepalign.data.sources.hub import HubRows

    if source is not None:
        if columns:
            raise ConfigError(f"'{source.name}' knows its columns; got columns as well. Leave them out.")
        if split is not None and source.splits and split not in source.splits:
            raise ConfigError(f"'{source.name}' has no problems in split '{split}'{suggest(split, source.splits)}")
        rows = HubRows(source.hub, subset or source.subset, split or source.split, state)
        return ProblemStream(source.hub, rows, source, "The dataset has changed.")
    if name.count("/") != 1 or not all(name.split("/")):
        known = [*SOURCES, *(source.hub for source in SOURCES.values())]
        raise ConfigError(f"unknown source '{name}'{suggest(name, known)} Or a path, or owner/name of a hub dataset.")
    mapping = ColumnMapping.parse(columns, prefix=name.split("/")[1])
    try:
        rows = HubRows(name, subset, split or "train", state)
    except DataError as error:
        hint = suggest(name, (source.hub for source in SOURCES.values()))
        if "perhaps" not in hint:
            raise
        raise DataError(f"{str(error).rstrip('.')}{hint}") from None
    return ProblemStream(name, rows, mapping)


def _registered(name: str) -> Source:
    source = find_source(name)
    if source is None:
        raise ConfigError(f"unknown adapter '{name}'{suggest(name, SOURCES)}")
    return source
