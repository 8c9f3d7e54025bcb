"""What a preflight keeps on disk, a JSON row each, and how it is read back: rollouts, critiques, contexts.

>>> from stepalign.micro import exact_critique
>>> critic = KeptCritic(lambda rollouts: [exact_critique(r) for r in rollouts], directory / "critiques.jsonl")
>>> [critique.case for critique in critic([rollout])]       # asks; and never again about this one
['D']
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from stepalign.core.critique import Context, Critique
from stepalign.core.files import append_jsonl, read_jsonl
from stepalign.core.problem import Problem
from stepalign.core.rollout import Grade, Rollout
from stepalign.feedback.formats import AskCritic, Rewrites
from stepalign.grading import AnyGrader
from stepalign.runs.files import ROLLOUTS
from stepalign.runs.row import append_rows, read_rows
from stepalign.runs.rows import CritiqueRow, PreflightCritique, RolloutRow

Key = tuple[str, int]  # problem id, sample
Row = dict[str, Any]


def key_of(rollout: Rollout) -> Key:
    """Which rollout it is."""
    return rollout.problem.id, rollout.sample


def key_in(row: Mapping[str, Any]) -> Key:
    """Which rollout a row is about."""
    return row["problem_id"], row["sample"]


def place(rollout: Rollout) -> Row:
    """The part of a row that says which rollout it is about."""
    return {"problem_id": rollout.problem.id, "sample": rollout.sample}


def is_correct(grade: Grade | None) -> bool | None:
    """Whether a graded response is right; None where nobody can say: a timeout is no wrong answer."""
    return None if grade is None or grade.reward is None else grade.is_correct


@dataclass(frozen=True)
class Records:
    """The JSONL files of a preflight's directory: one of each kind, rows of several formats in one file."""

    directory: Path

    def read(self, kind: str) -> list[Row]:
        """The rows of a kind."""
        return read_jsonl(self.directory / f"{kind}.jsonl")

    def append(self, kind: str, rows: Iterable[Row]) -> None:
        """Keep more rows of a kind."""
        append_jsonl(self.directory / f"{kind}.jsonl", *rows)

    def add_rollouts(self, rollouts: Iterable[Rollout]) -> None:
        """Keep graded rollouts of the student."""
        rows = (RolloutRow(**rollout.to_json(), token_ids=list(rollout.token_ids)) for rollout in rollouts)
        append_rows(self.directory / ROLLOUTS, *rows)

    def rollouts(self, problems: Sequence[Problem]) -> list[Rollout]:
        """The student's graded rollouts, problem by problem."""
        at = {problem.id: i for i, problem in enumerate(problems)}
        rows = read_rows(self.directory / ROLLOUTS, RolloutRow)
        rows.sort(key=lambda row: (at[row.problem_id], row.sample))
        return [row.rollout(problems[at[row.problem_id]]) for row in rows]

    def keys(self, kind: str, name: str | None = None) -> set[Key]:
        """Which rollouts have a row, of one format or of any."""
        return {key_in(row) for row in self.read(kind) if name is None or row["format"] == name}

    def left(self, rollouts: Sequence[Rollout], kind: str, names: Iterable[str]) -> list[Rollout]:
        """Those that lack the row of at least one of the formats."""
        done = set[Key].intersection(*(self.keys(kind, name) for name in names))
        return [rollout for rollout in rollouts if key_of(rollout) not in done]

    def contexts(self, name: str) -> dict[Key, Context | None]:
        """What a format made of each rollout."""
        rows = (row for row in self.read("contexts") if row["format"] == name)
        return {key_in(row): None if row["context"] is None else Context(row["context"]) for row in rows}


class KeptCritic:
    """A critic whose critiques are kept in a file: each rollout is asked about once, whoever wants to know."""

    def __init__(self, critic: AskCritic, path: Path):
        self.critic, self.path = critic, path
        rows = read_rows(path, PreflightCritique)
        self.known: dict[Key, Critique | None] = {
            (row.problem_id, row.sample): row.critique.critique() if row.critique else None for row in rows
        }

    def __call__(self, rollouts: Sequence[Rollout]) -> list[Critique | None]:
        """The critique of each, as `AskCritic`; new ones are asked for and kept."""
        new = self.left(rollouts)
        if new:
            critiques = self.critic(new)
            rows = ((r, c and CritiqueRow.of(c)) for r, c in zip(new, critiques, strict=True))
            append_rows(self.path, *(PreflightCritique(**place(r), critique=row) for r, row in rows))
            self.known |= {key_of(r): critique for r, critique in zip(new, critiques, strict=True)}
        return [self.known[key_of(r)] for r in rollouts]

    @property
    def can_rewrite(self) -> bool:
        """Whether the critic can be told which step to write again."""
        return bool(getattr(self.critic, "can_rewrite", False))

    def rewrite(self, rollouts: Sequence[Rollout], steps: Sequence[int]) -> Sequence[Critique | None]:
        """As the critic's; what it writes is kept as a context, by who asks."""
        return cast("Rewrites", self.critic).rewrite(rollouts, steps)

    def left(self, rollouts: Sequence[Rollout]) -> list[Rollout]:
        """Those that it was not asked about yet."""
        return [r for r in rollouts if key_of(r) not in self.known]


def has_answer(context: str, problem: Problem, grader: AnyGrader) -> bool:
    """Whether a context gives the answer away: as its own final answer, or word for word anywhere."""
    stands_there = re.search(rf"(?<!\w){re.escape(problem.answer)}(?!\w)", context) is not None
    return stands_there or grader.grade(context, problem).is_correct


def price_per_rollout(ledger: Mapping[str, Any]) -> dict[str, float] | None:
    """What one critique took, from a critic's ledger; replies from the cache were paid for earlier and cost nothing."""
    num = ledger.get("num_samples", 0)
    if not num:
        return None
    names = {"tokens_in": "tokens_in", "tokens_out": "tokens_out", "cost": "cost", "seconds": "wall_s"}
    return {**{name: ledger[key] / num for name, key in names.items()}, "cached": ledger["num_cached"] / num}
