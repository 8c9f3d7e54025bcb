"""Problems from data of any shape: a file, a directory, a dataset of the hub, or what Python holds.

    >>> problems = load_problems("problems.jsonl")          # id, problem, answer: our own form
    >>> problems[0].answer
    '167'
    >>> load_problems([{"question": "2 + 2?", "answer": "2 + 2 = 4\\n#### 4"}])[0].answer      # recognized
    '4'
    >>> load_problems([{"frage": "2 + 2?", "antwort": 4}], columns="problem=frage,answer=antwort")[0].answer
    '4'

docs/data.md lists the shapes that are recognized.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from stepalign.core.errors import DataError
from stepalign.core.problem import Problem
from stepalign.data.row import all_of
from stepalign.data.sources.stream import ProblemStream, open_source, said_of_mended

log = logging.getLogger(__name__)

Columns = str | Sequence[str] | Mapping[str, str]


class Reading(NamedTuple):
    """What became of the rows of a source: problems, and an error for each row that is none."""

    stream: ProblemStream
    problems: list[Problem]
    errors: list[DataError]
    num_rows: int


def load_problems(
    source: object, columns: Columns = (), *, split: str | None = None, likely: str | None = None
) -> list[Problem]:
    """The problems in the source's order; what was taken for what is logged where it is not our own form.

    Args:
        source: a path (JSONL, JSON, CSV, TSV, parquet, Arrow, packed by gzip or not, a directory of these, or what
            `save_to_disk` wrote), owner/name of a dataset on the hub, a list of dictionaries or problems, or a dataset.
        columns: such as problem=question,answer=final,solution=..,id=..; also as a mapping. The rest is recognized.
        split: of a source with several; also behind a name, as in owner/name:test.
        likely: the split that is taken where there are several and none is asked for.
    Raises:
        DataError: the source cannot be read, or rows of it; the message names the first ten, each with its trouble.
    """
    if isinstance(source, list | tuple) and source and all(isinstance(item, Problem) for item in source):
        return list(source)
    reading = read_problems(source, columns, split=split, likely=likely)
    stream = reading.stream
    if reading.errors:
        remedy = "Correct them, or leave them out: stepalign data SOURCE --output_file OUT.jsonl"
        raise all_of(reading.errors, stream.name, reading.num_rows, remedy)
    if not stream.is_own:
        log.warning("%s: %s", stream.name, stream.taken)
    if stream.mended:
        log.warning("%s: %s", stream.name, said_of_mended(stream.mended))
    return reading.problems


def read_problems(
    source: object,
    columns: Columns = (),
    *,
    split: str | None = None,
    likely: str | None = None,
    most: int | None = None,
) -> Reading:
    """The problems of a source and the errors of the rows that are none; the first `most` problems only.

    Raises:
        DataError: the source itself cannot be read, or no row of it has a problem.
    """
    stream = open_source(source, columns=columns, split=split, likely=likely)
    stream.takes_broken = True
    problems: list[Problem] = []
    errors: list[DataError] = []
    for item in _checked(stream):
        if isinstance(item, Problem):
            problems.append(item)
        else:
            errors.append(item)
        if most is not None and len(problems) == most:
            break
    num_rows = len(problems) + len(errors)
    if not problems:
        raise all_of(errors, stream.name, num_rows)
    return Reading(stream, problems, errors, num_rows)


def _checked(stream: ProblemStream) -> Iterator[Problem | DataError]:
    """Each row's problem, or why it is none: also for want of an answer, or because its id was there before."""
    seen: dict[str, str] = {}
    for _, problem, trouble, where in stream:
        if problem is None:
            yield DataError(trouble)
        elif not problem.answer and problem.tests is None:
            yield DataError(f"{where}: problem '{problem.id}' has no answer. Fill it in or remove the line.")
        elif problem.id in seen:
            yield DataError(
                f"{where}: id '{problem.id}' was used before ({seen[problem.id]}). Give every problem its "
                "own id, or have ids made: --columns id="
            )
        else:
            seen[problem.id] = where
            yield problem
