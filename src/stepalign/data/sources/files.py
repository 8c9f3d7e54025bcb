"""Rows of local files, a row at a time: a file of any kind, a directory of files, or one that `save_to_disk` wrote.

>>> rows = FileRows(find_files(Path("problems.jsonl")))
>>> next(iter(rows)).where              # a Row, or a DataError for a row that is none
'problems.jsonl, line 1'
>>> next(iter(FileRows(rows.found, state=rows.state()))).where    # goes on behind the last row that was given out
'problems.jsonl, line 2'
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from stepalign.core.errors import DataError, suggest
from stepalign.core.files import read_json
from stepalign.data.row import Row
from stepalign.data.sources.kinds import Kind, recognize_kind
from stepalign.data.sources.readers import count_rows, read_file

SUFFIXES = (".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow")
PACKED = ".gz"
SPLITS = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation"}
SPLITS |= {"test": "test"}
ABOUT = re.compile(r"(readme|license|dataset_infos?|dataset_dict|state)\b", re.IGNORECASE)  # files about the data


@dataclass(frozen=True)
class Found:
    """Files that are read as one: their name in messages, how ids that are made begin, and which of several splits."""

    name: str
    paths: Sequence[Path]
    stem: str
    split: str = ""


class FileRows:
    """The rows of the files in order, from where `state` says."""

    def __init__(self, found: Found, has_header: bool = True, state: dict[str, Any] | None = None) -> None:
        self.found, self._has_header = found, has_header
        self._num_read = state["num_rows"] if state else 0

    def __iter__(self) -> Iterator[Row | DataError]:
        skip = self._num_read
        for path in self.found.paths:
            if skip and len(self.found.paths) > 1:  # a file that ends before it is passed over
                num_rows = count_rows(path, self._has_header)
                if num_rows <= skip:
                    skip -= num_rows
                    continue
            for row in read_file(path, skip, self._has_header):
                self._num_read += 1
                yield row
            skip = 0

    def head(self, count: int) -> list[Row]:
        """The first rows, whatever was read before."""
        rows = (row for path in self.found.paths for row in read_file(path, 0, self._has_header))
        return [row for row in islice(rows, count) if isinstance(row, Row)]

    @property
    def kind(self) -> Kind | None:
        """Of the first file with anything in it."""
        return next(filter(None, map(recognize_kind, self.found.paths)), None)

    def state(self) -> dict[str, Any]:
        """What to go on with behind the last row given out."""
        return {"num_rows": self._num_read}

    def fingerprint(self) -> list[Any]:
        """Changes when the files do."""
        return [[path.name, path.stat().st_size] for path in self.found.paths]


def suffix_of(path: Path) -> str:
    """The suffix that says the kind, also of a packed file."""
    return (path.with_suffix("") if path.suffix.lower() == PACKED else path).suffix.lower()


def stem_of(path: Path) -> str:
    """The name without what says the kind."""
    return (path.with_suffix("") if path.suffix.lower() == PACKED else path).stem


def find_files(path: Path, split: str | None = None, likely: str | None = None) -> Found:
    """The file, or the files of a directory in the order of their names.

    Args:
        split: which files or dataset of a directory that has several splits.
        likely: the split that is taken where there are several and none is asked for.
    Raises:
        DataError: nothing there, no such split, several of them, or files of several kinds.
    """
    name, path = str(path), path.expanduser()
    if path.is_file():
        return Found(name, [path], stem_of(path))
    if not path.is_dir():
        raise DataError(f"{name}: no such file; expected a file or a directory. Check the path.")
    if (path / "dataset_dict.json").is_file():
        chosen = choose_split(name, read_json(path / "dataset_dict.json")["splits"], split, likely)
        return Found(f"{name}, split {chosen}", _saved(path / chosen), chosen, chosen)
    if (path / "state.json").is_file() and (path / "dataset_info.json").is_file():
        return Found(name, _saved(path), path.resolve().name)
    return _in_directory(name, path, split, likely)


def choose_split(name: str, splits: Sequence[str], split: str | None, likely: str | None) -> str:
    """The split that is asked for, the only one, or the likely one.

    Raises:
        DataError: none of these.
    """
    if split is not None:
        chosen = next((s for s in splits if s == split), None) or next(
            (s for s in splits if SPLITS.get(s) == split), None
        )
        if chosen is None:
            raise DataError(f"{name}: no split '{split}'{suggest(split, splits)}")
        return chosen
    likeliest = [s for s in splits if likely is not None and SPLITS.get(s, s) == likely]
    if len(splits) > 1 and len(likeliest) != 1:
        raise DataError(f"{name}: has the splits {', '.join(splits)}. Say which: {name}:{splits[0]}")
    return (likeliest or list(splits))[0]


def _saved(path: Path) -> list[Path]:
    """The files of a dataset that `datasets` saved."""
    return [path / entry["filename"] for entry in read_json(path / "state.json")["_data_files"]]


def _in_directory(name: str, path: Path, split: str | None, likely: str | None) -> Found:
    there = [p for p in sorted(path.iterdir()) if _is_data(p)]
    if not any(suffix_of(p) in SUFFIXES for p in there):  # a clone has them further down
        there += [p for p in sorted(path.rglob("*")) if _is_data(p) and p not in there]
    paths = [p for p in there if suffix_of(p) in SUFFIXES] or [p for p in there if _is_readable(p)]
    if not paths:
        raise DataError(
            f"{name}: got a directory without files of a known kind; expected some of {', '.join(SUFFIXES)}, also "
            f"{PACKED}."
        )
    chosen = ""
    by_split = {p: _split_of(p.relative_to(path)) for p in paths}
    splits = list(dict.fromkeys(by_split.values()))
    if split is not None or (len(splits) > 1 and "" not in splits):
        chosen = choose_split(name, [s for s in splits if s], split, likely)
        paths = [p for p in paths if by_split[p] == chosen]
    kinds = sorted({suffix_of(p) for p in paths})
    if len(kinds) > 1:
        raise DataError(f"{name}: got files of several kinds ({', '.join(kinds)}); expected one kind. Name the file.")
    name = f"{name}, split {chosen}" if chosen else name
    return Found(name, paths, chosen or path.resolve().name, chosen)


def _is_data(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and not ABOUT.match(path.name)


def _is_readable(path: Path) -> bool:
    try:
        return path.suffix.lower() not in (".md", ".py", ".txt", ".yaml", ".yml") and recognize_kind(path) is not None
    except DataError:
        return False


def _split_of(path: Path) -> str:
    """The split that a file's name or directory says."""
    words = re.split(r"[^a-z]+", str(path.with_name(stem_of(path))).casefold())
    return next((SPLITS[word] for word in words if word in SPLITS), "")
