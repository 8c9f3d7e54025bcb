"""Rollouts as other trainers log them, which carry their prompt instead of a problem's id.

    trl        prompt and completion, texts or messages: completions_00010.parquet (log_completions)
    ms-swift   prompt and completion, lists of one step a row: completions.jsonl
    verl       input, output, gts, score, step: a JSONL a step (trainer.rollout_data_dir)
    prime-rl   rollouts/step_N/train/effective/traces.jsonl: an episode of verifiers a row, with its traces
    tinker     train_logtree.json of an iteration; trajectories.jsonl of tinker-cookbook's evaluations
    messages   a conversation, of which the last turn is the assistant's

    >>> rows = [{"input": "user\\nWhat is 2 + 2?\\nassistant\\n", "output": "<answer>4</answer>", "gts": "4"}]
    >>> (rollout,) = load_rollouts(rows, None)
    >>> rollout.problem.problem, rollout.problem.answer, rollout.sample
    ('user\\nWhat is 2 + 2?\\nassistant', '4', 0)

Given problems, a row belongs to the one whose text its prompt holds; the longest, where it holds several. Without them
each prompt is a problem, with the row's right answer: a column gts, ground_truth, answer, gold, target, expected or
reference_answer. Columns of other names are named: `columns=["prompt=asked", "text=said"]`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from stepalign.core.errors import ConfigError, DataError, suggest
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.data.chat import turns_of
from stepalign.data.columns import plain_name
from stepalign.data.nested import ANSWERS, of_ms_swift, of_prime_rl, of_tinker
from stepalign.data.row import MISSING, Row, all_of
from stepalign.data.samples import NAMES, parse_samples, read_rows
from stepalign.data.values import number_text

log = logging.getLogger(__name__)

RolloutsFormat = Literal["trl", "ms-swift", "verl", "prime-rl", "tinker", "messages"]
PARTS = ("prompt", "text", "answer", "problem_id", "sample")
OF_TINKER = ({"root", "started_at"}, {"turns", "benchmark"}, {"traj_idx", "steps"}, {"step_idx", "ac_len"})
SAID_AS = {"messages": "conversations"}


def load_rollouts(
    source: object,
    problems: Sequence[Problem] | None,
    format: RolloutsFormat | None = None,
    columns: Iterable[str] = (),
) -> list[Rollout]:
    """Our own samples, or a log: by `format`, else by the columns of the first row; see `parse_rollouts`."""
    return parse_rollouts(named(read_rows(source), columns), problems, format)


def parse_rollouts(
    rows: Sequence[Row], problems: Sequence[Problem] | None, format: RolloutsFormat | None = None
) -> list[Rollout]:
    """The rollouts in the rows' order; samples of a problem that have no numbers are numbered in that order.

    Args:
        problems: those that were sampled for; None: the prompts of the log, which then need an answer each.
        format: whose log it is; None: by its columns, which is said.
    Raises:
        DataError: a column is missing, our own samples have no problems, or a prompt is of none of the problems.
    """
    if format is None and not is_logged(rows[0]):
        if problems is None:
            raise rows[0].error("samples with a problem_id need their problems; got none. Give problems, too.")
        return parse_samples(rows, problems)
    found = format or recognized(rows[0])
    assert found is not None
    if format is None:
        log.warning("rollouts: read as %s logs them", SAID_AS.get(found, found))
    problem_of = _new() if problems is None else _own(problems)
    numbers, errors, rollouts, num_empty = Counter[str](), list[DataError](), list[Rollout](), 0
    for row in rows:
        try:
            singles = [(one, *READERS[found](one)) for one in UNFOLDED.get(found, _itself)(row)]
            made = [(problem_of(one, prompt), text) for one, prompt, text in singles]
        except DataError as error:
            errors.append(error)
            continue
        num_empty += not made
        for problem, text in made:
            rollouts.append(Rollout(problem, numbers[problem.id], text))
            numbers[problem.id] += 1
    if errors:
        raise all_of(errors, rows[0].where.rpartition(",")[0], len(rows))
    if not rollouts:
        raise rows[0].error(f"none of {len(rows)} rows holds a rollout: their traces are empty.")
    if num_empty:
        log.warning("rollouts: %d of %d rows hold none, and are passed over", num_empty, len(rows))
    return rollouts


def named(rows: Sequence[Row], words: Iterable[str]) -> Sequence[Row]:
    """The rows with the columns that were named, such as `prompt=asked`, under the names that are read.

    Raises:
        ConfigError: no such part.
        DataError: no such column.
    """
    columns: dict[str, str] = {}
    for piece in (piece for word in words for piece in word.split(",") if piece.strip()):
        part, equals, column = piece.strip().partition("=")
        if not equals or not column:
            raise ConfigError(f"sample_columns: got '{piece}'; expected part=column, for example text=reply.")
        if part not in PARTS:
            raise ConfigError(f"sample_columns: unknown part '{part}'{suggest(part, PARTS)}")
        columns[part] = column
    if not columns:
        return rows
    is_logged = "prompt" in columns or ("problem_id" not in columns and recognized(rows[0]) == "trl")
    names = {"text": "completion"} if is_logged else {}
    named_rows: list[Row] = []
    for row in rows:
        values = {names.get(part, part): row.value(column) for part, column in columns.items()}
        lacking = next((column for column in columns.values() if row.value(column) is MISSING), None)
        if lacking is not None:
            row.string(lacking)  # raises
        others = {key: value for key, value in row.values.items() if "prompt" not in columns or not _is_id(key)}
        named_rows.append(Row(row.where, {**others, **values}))
    return named_rows


def is_logged(row: Row) -> bool:
    """Whether a row is one of these, and none of our own, which names its problem."""
    if recognized(row) in UNFOLDED and "completion" not in row.values:
        return True  # an episode's own id is none of a problem
    return not any(map(_is_id, row.values)) and recognized(row) is not None


def _is_id(column: str) -> bool:
    return plain_name(column) in NAMES["problem_id"]


def recognized(row: Row) -> RolloutsFormat | None:
    """Whose row it is, by its columns; None for nobody's."""
    values = row.values
    if {"input", "output"} <= values.keys() and {"gts", "score", "step"} & values.keys():
        return "verl"
    if {"prompt", "completion"} <= values.keys():
        texts = values["completion"]
        is_step = isinstance(texts, list) and all(isinstance(text, str) for text in texts) and bool(texts)
        return "ms-swift" if is_step else "trl"
    if "task" in values and {"traces", "nodes"} & values.keys():
        return "prime-rl"
    if any(columns <= values.keys() for columns in OF_TINKER):
        return "tinker"
    return "messages" if turns_of(values.get("messages")) else None


def _itself(row: Row) -> Iterator[Row]:
    yield row


def _prompted(row: Row) -> tuple[str, str]:
    return _said(row, "prompt", "user"), _said(row, "completion", "assistant")


def _verl(row: Row) -> tuple[str, str]:
    return row.string("input").strip(), row.string("output", empty=True)


def _conversation(row: Row) -> tuple[str, str]:
    turns = turns_of(row.value("messages"))
    if not turns or turns[-1][0] != "assistant":
        raise row.error("'messages' does not end with a turn of the assistant: there is no rollout to look at.")
    return _said(row, "messages", "user"), _said(row, "messages", "assistant")


UNFOLDED: Mapping[RolloutsFormat, Callable[[Row], Iterator[Row]]] = {
    "ms-swift": of_ms_swift,
    "prime-rl": of_prime_rl,
    "tinker": of_tinker,
}
READERS: Mapping[RolloutsFormat, Callable[[Row], tuple[str, str]]] = {
    "trl": _prompted,
    "ms-swift": _prompted,
    "verl": _verl,
    "prime-rl": _prompted,
    "tinker": _prompted,
    "messages": _conversation,
}


def _said(row: Row, key: str, role: str) -> str:
    """A text, or the last turn of a role."""
    turns = turns_of(row.value(key))
    if turns is None:
        text = row.string(key, empty=role == "assistant")
        return text.strip() if role == "user" else text
    said = [content for who, content in turns if who == role]
    if not said or not isinstance(said[-1], str):
        raise row.error(f"'{key}' has no text of the {role}.")
    return said[-1].strip() if role == "user" else said[-1]


ProblemOf = Callable[[Row, str], Problem]


def _own(problems: Sequence[Problem]) -> ProblemOf:
    """The given problem whose text a prompt holds."""
    by_length = sorted(problems, key=lambda problem: -len(problem.problem))
    known: dict[str, Problem] = {}

    def find(row: Row, prompt: str) -> Problem:
        if prompt not in known:
            found = next((problem for problem in by_length if problem.problem.strip() in prompt), None)
            if found is None:
                raise row.error(f"its prompt holds the text of none of the problems: '{prompt[:80]}'.")
            known[prompt] = found
        return known[prompt]

    return find


def _new() -> ProblemOf:
    """A problem for each prompt, numbered in order."""
    known: dict[str, Problem] = {}

    def make(row: Row, prompt: str) -> Problem:
        if prompt not in known:
            column = next((name for name in ANSWERS if row.has(name)), None)
            answer = None if column is None else number_text(row.value(column)) or row.value(column)
            if not isinstance(answer, str):
                names = ", ".join(ANSWERS)
                raise row.error(f"it has no right answer: none of the columns {names} is a text. Give --problems.")
            known[prompt] = Problem(f"logged-{len(known) + 1:05d}", prompt, answer)
        return known[prompt]

    return make
