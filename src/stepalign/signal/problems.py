"""The problems that a run's rollouts were sampled for: what does not fit the run's own record is an error.

    >>> from stepalign.runs.reading import read_rollouts
    >>> problems_of(trained, read_rollouts(trained))["micro-0000"].id
    'micro-0000'

Looked for in this order: those given; `problems.used.jsonl`, which a training run keeps; those of the comparison that
the run is part of; those that its settings name, or that the micro world makes of them. Runs of a comparison, and those
of version 0.1.0, have no such record: there the student's prompt in `prompts.json` says what the first rollout's
problem was.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from stepalign.core.errors import DataError
from stepalign.core.problem import Problem
from stepalign.core.settings import names_of
from stepalign.data.problems import load_problems
from stepalign.runs.files import CONFIG, PROMPTS, USED_PROBLEMS
from stepalign.runs.problems import comparison_problems
from stepalign.runs.row import read_mapping, read_rows
from stepalign.runs.rows import ProblemRow, RolloutRow
from stepalign.settings.groups import MicroSettings
from stepalign.settings.problems import micro_splits

SHOWN = 60  # characters of a text in a message
GIVE = "Give --problems with those that the run was trained on."


def problems_of(
    directory: Path, rows: Sequence[RolloutRow], given: str | None = None, columns: Sequence[str] = ()
) -> dict[str, Problem]:
    """The problems by id.

    Args:
        directory: of a training run, or of one condition and seed of a comparison.
        rows: all of its `rollouts.jsonl`.
        given: a file of problems that is taken before all others.
        columns: what its columns are called.
    Raises:
        DataError: they are not found, or they are others than those of the run; the message says what differs.
    """
    kept = {row.id: row.made() for row in read_rows(directory / USED_PROBLEMS, ProblemRow)}
    if given is None and kept:
        return kept
    found = _found(directory) if given is None else (f"--problems {given}", load_problems(given, columns))
    source, problems = found
    by_id = {problem.id: problem for problem in problems}
    if kept:
        _check_same(directory, by_id, source, kept, {row.problem_id for row in rows})
    else:
        _check_prompt(directory, rows, by_id, source)
    return by_id


def _found(directory: Path) -> tuple[str, list[Problem]]:
    """Where the problems are, and they themselves, for a run that keeps no record of its own."""
    settings = read_mapping(directory / CONFIG)
    trained_on = settings.get("train_problems")
    compared = comparison_problems(directory, settings)
    if compared is not None and compared.is_file():
        return str(compared), load_problems(compared)
    if trained_on is not None and Path(trained_on).exists():
        return str(trained_on), load_problems(trained_on, settings.get("columns") or (), likely="train")
    if trained_on is None and "micro_seed" in settings:
        dials = {name: settings[name] for name in names_of(MicroSettings) if name in settings}
        return "the micro world of its settings", micro_splits(MicroSettings(**dials), 0, 0)["train"]
    raise DataError(f"problems of the run {directory} are not found (train_problems: {trained_on}). {GIVE}")


def _check_same(
    directory: Path, problems: Mapping[str, Problem], source: str, kept: Mapping[str, Problem], ids: set[str]
) -> None:
    """Raises DataError where a problem that has rollouts reads otherwise than in the run's record."""
    for name in sorted(ids & problems.keys() & kept.keys()):
        if problems[name].problem != kept[name].problem:
            raise DataError(
                f"{source}: problem '{name}' is not the one that {directory} was trained on: it says "
                f"{_shown(problems[name].problem)}; expected, as in {USED_PROBLEMS}, {_shown(kept[name].problem)}. "
                "Leave --problems out, or give the run's own."
            )


def _check_prompt(directory: Path, rows: Sequence[RolloutRow], problems: Mapping[str, Problem], source: str) -> None:
    """Raises DataError where the first rollout's problem does not stand in the prompt that it was sampled for."""
    prompt = read_mapping(directory / PROMPTS).get("student")
    first = problems.get(rows[0].problem_id) if rows else None
    if isinstance(prompt, str) and first is not None and _letters(first.problem) not in _letters(prompt):
        raise DataError(
            f"{source}: problem '{first.id}' is not the one that {directory} was trained on: it says "
            f"{_shown(first.problem)}; expected a text that stands in the student's prompt of {PROMPTS}, "
            f"{_shown(prompt)}. {GIVE}"
        )


def _letters(text: str) -> str:
    """What a tokenizer leaves as it is: the characters without white space, in their normal form."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…")
