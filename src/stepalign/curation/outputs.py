"""What a curation leaves: train.jsonl, validation.jsonl, test.jsonl, funnel.json and its picture.

Only the first `num_problems` problems that passed count, and only the rows up to the last of them: a batch may find a
few more. The split is drawn by the seed; files keep the order of the source. Written a problem at a time, each file
whole or not at all.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from stepalign.core.errors import DataError
from stepalign.curation.funnel import funnel, write_funnel
from stepalign.curation.store import Store
from stepalign.settings.curate import CurateSettings

SPLITS = ("train", "validation", "test")


def write_outputs(store: Store, arguments: CurateSettings, *, is_exhausted: bool, has_critic: bool) -> dict[str, Any]:
    """Write all files and return what `funnel.json` holds.

    Raises:
        DataError: no problem passed, or too few for the split; the funnel is written all the same.
    """
    result = summarize(store, arguments, is_exhausted=is_exhausted, has_critic=has_critic)
    write_splits(store, arguments, result["num_kept"])
    return result


def summarize(store: Store, arguments: CurateSettings, *, is_exhausted: bool, has_critic: bool) -> dict[str, Any]:
    """Write the funnel and its picture, and return it."""
    last = store.last_position(arguments.num_problems)
    skipped = {
        "wanted": not arguments.where,
        "not_in_evaluation_sets": not arguments.evaluation_sets,
        "no_near_duplicate": arguments.problem_overlap >= 1,
        "critic_solves": not has_critic,
    }
    counts = store.counts(last)
    is_enough = bool(arguments.num_problems) and counts[("", "")] >= arguments.num_problems
    stopped = "found_enough" if is_enough else "source_exhausted" if is_exhausted else "interrupted"
    result = funnel(counts, [name for name, is_skipped in skipped.items() if is_skipped], stopped=stopped)
    write_funnel(Path(str(arguments.output_dir)), result)
    return result


def write_splits(store: Store, arguments: CurateSettings, num_kept: int) -> None:
    """Write the three files of problems.

    Raises:
        DataError: no problem passed, or too few for the split.
    """
    split_of = split(num_kept, arguments.num_validation, arguments.num_test, arguments.seed)
    last = store.last_position(arguments.num_problems)
    _write_files(Path(str(arguments.output_dir)), store.kept(last), split_of)


def split(count: int, num_validation: int, num_test: int, seed: int) -> list[str]:
    """The split of each of `count` problems, drawn by the seed.

    Raises:
        DataError: nothing would be left to train on.
    """
    if count <= num_validation + num_test:
        what = f"{count} problems passed all stages" if count else "no problem passed all stages"
        raise DataError(
            f"{what}; expected more than num_validation + num_test = {num_validation + num_test}. "
            "See funnel.json for the stage that drops most; lower the two numbers, or take a larger source."
        )
    names = ["test"] * num_test + ["validation"] * num_validation
    names += ["train"] * (count - len(names))
    random.Random(f"stepalign curate split {seed}").shuffle(names)
    return names


def _write_files(directory: Path, problems: Iterator[dict[str, Any]], split_of: list[str]) -> None:
    temporary = {name: directory / f".{name}.jsonl.{os.getpid()}.tmp" for name in SPLITS}
    try:
        with ExitStack() as stack:
            files: dict[str, IO[str]] = {
                name: stack.enter_context(path.open("w", encoding="utf-8")) for name, path in temporary.items()
            }
            seen: set[str] = set()
            for number, (problem, name) in enumerate(zip(problems, split_of, strict=True)):
                if problem["id"] in seen:  # two rows of the source had one id; readers want different ones
                    problem["id"] = f"{problem['id']}#{number}"
                seen.add(problem["id"])
                files[name].write(json.dumps(problem) + "\n")
            for file in files.values():
                file.flush()
                os.fsync(file.fileno())
        for name, path in temporary.items():
            path.replace(directory / f"{name}.jsonl")
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)
