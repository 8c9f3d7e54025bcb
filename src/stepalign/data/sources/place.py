"""Where rows are: in a file or a directory, on the hub, or in this program; and opening them.

    >>> place = Place.of("saved_dataset:test")
    >>> place.source, place.split
    ('saved_dataset', 'test')
    >>> Place.of("problems.jsonl").open().kind.value
    'JSONL'

A name is a path where a file is there or it looks like one, else a registered dataset or owner/name on the hub. Behind
it may stand which split, and before that which subset: `openai/gsm8k:socratic:test`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from stepalign.core.errors import ConfigError, DataError, suggest
from stepalign.data.row import Row
from stepalign.data.sources.files import SUFFIXES, FileRows, find_files, suffix_of
from stepalign.data.sources.kinds import Kind
from stepalign.data.sources.objects import ObjectRows
from stepalign.data.sources.registered import SOURCES, find_source
from stepalign.data.sources.source import Source

WITH_SPLIT = re.compile(r"(.+?)(?::([\w.-]+))?:([\w.-]+)")


class Rows(Protocol):
    """Rows that can be read on from a state."""

    def __iter__(self) -> Iterator[Row | DataError]: ...

    def head(self, count: int) -> list[Row]:
        """The first rows, whatever was read before."""
        ...

    def state(self) -> dict[str, Any]:
        """What to go on with behind the last row."""
        ...

    def fingerprint(self) -> list[Any]:
        """Which rows these are."""
        ...


class Opened(NamedTuple):
    """Rows, how ids that are made for them begin, their source's name in messages, and the kind of their files."""

    rows: Rows
    stem: str
    name: str
    kind: Kind | None = None


@dataclass(frozen=True)
class Place:
    """A source with what was asked for of it; `registered` where it is a known dataset of the hub."""

    source: object
    subset: str | None = None
    split: str | None = None
    likely: str | None = None
    registered: Source | None = None

    @classmethod
    def of(
        cls, source: object, subset: str | None = None, split: str | None = None, likely: str | None = None
    ) -> Place:
        """From a path, a name or an object; split and subset may stand behind the name."""
        if isinstance(source, str) and not Path(source).expanduser().exists():
            words = WITH_SPLIT.fullmatch(source)
            if words is not None:
                source, subset, split = words[1], words[2] or subset, words[3]
        known = find_source(source) if isinstance(source, str) and not is_path(source) else None
        return cls(source, subset, split, likely, known)

    @property
    def is_local(self) -> bool:
        """Whether it is a file or a directory, there or not."""
        if isinstance(self.source, str):
            return self.registered is None and (is_path(self.source) or Path(self.source).exists())
        return isinstance(self.source, Path)

    def open(self, *, has_header: bool = True, state: dict[str, Any] | None = None) -> Opened:
        """The rows, from their start or from where `state` says; `has_header` is about tables of text.

        Raises:
            ConfigError: an unknown name or split.
            DataError: the file is missing, or the hub or the dataset cannot be reached.
        """
        if not isinstance(self.source, str | Path):
            objects = ObjectRows(self.source, self.split, self.likely)
            return Opened(objects, objects.stem, objects.name)
        if not self.is_local:
            return self._on_hub(str(self.source), state)
        if self.subset:
            raise ConfigError(f"subset is for datasets of the hub; got the path '{self.source}'.")
        found = find_files(Path(self.source), self.split, self.likely)
        rows = FileRows(found, has_header, state)
        return Opened(rows, found.stem, found.name, rows.kind)

    def _on_hub(self, name: str, state: dict[str, Any] | None) -> Opened:
        from stepalign.data.sources.hub import HubRows

        known = self.registered
        if known is not None:
            if self.split is not None and self.split not in known.splits:
                raise ConfigError(
                    f"'{known.name}' has no problems in split '{self.split}'{suggest(self.split, known.splits)}"
                )
            split = self.split or (self.likely if self.likely in known.splits else known.split)
            return Opened(
                HubRows(known.hub, self.subset or known.subset, str(split), state),
                known.name,
                f"{known.hub}, split {split}",
            )
        hubs = [source.hub for source in SOURCES.values()]
        if name.count("/") != 1 or not all(name.split("/")):
            hint = suggest(name, [*SOURCES, *hubs])
            raise ConfigError(f"unknown source '{name}'{hint} Or a path, or owner/name of a hub dataset.")
        split = self.split or self.likely or "train"
        try:
            return Opened(
                HubRows(name, self.subset, split, state), f"{name.split('/')[1]}-{split}", f"{name}, split {split}"
            )
        except DataError as error:
            hint = suggest(name, hubs)
            if "perhaps" not in hint:
                raise
            raise DataError(f"{str(error).rstrip('.')}{hint}") from None


def is_path(name: str) -> bool:
    """Whether a name is meant as a path and not as a dataset's."""
    return (
        suffix_of(Path(name)) in SUFFIXES
        or Path(name).suffix in (".gz", ".txt")
        or name.startswith((".", "~", os.sep))
        or name.count("/") > 1
        or (("/" in name or os.sep in name) and (Path(name).exists() or Path(name).parent.is_dir()))
    )
