"""The rows of a run's files, one class a kind; the files' names are in `stepalign.runs.files`.

>>> row = RolloutRow(step=3, **rollout.to_json(), context=None, context_status="not_used")
>>> row.rollout(rollout.problem).text == rollout.text
True

Evaluations are in `stepalign.runs.evaluations`, the results of a comparison in `stepalign.runs.results`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Self, cast

from stepalign.core.critique import Critique, CritiqueCase, CritiqueStep
from stepalign.core.errors import DataError
from stepalign.core.files import read_json
from stepalign.core.problem import Example, Problem, Tests
from stepalign.core.rollout import Detail, FinishReason, Grade, Outcome, Rollout
from stepalign.runs.files import PROGRESS
from stepalign.runs.row import EMPTY, Number, Row, Whole, mapping

TAIL = 70  # characters of a response's end


class Progress(Row):
    """`progress.json` of a checkpoint: what training had done and taken by then, over all sessions."""

    step: Whole
    num_rollouts: Number = None
    num_generated_tokens: Number = None
    wall_s: Number = None


def read_progress(checkpoint: Path) -> Progress:
    """The progress of a sealed checkpoint."""
    return Progress.read(str(checkpoint / PROGRESS), read_json(checkpoint / PROGRESS))


class MetricsRow(Progress):
    """`metrics.jsonl`: a step of training; TRL's and our metrics stand under keys that are not declared."""


class ProblemRow(Row):
    """`problems.used.jsonl`, and `problems/<split>.jsonl` of a comparison."""

    id: str
    problem: str
    answer: str = ""
    solution: str | None = None
    meta: Mapping[str, Any] = EMPTY
    test: str = ""
    tests: Sequence[Any] = ()
    entry_point: str | None = None
    setup: str = ""

    def made(self) -> Problem:
        """The problem of the row."""
        return Problem(self.id, self.problem, self.answer, self.solution, dict(self.meta), self.made_tests())

    def made_tests(self) -> Tests | None:
        """The tests of a problem that asks for a program; None for any other."""
        if not self.test and not self.tests:
            return None
        asserts = tuple(test for test in self.tests if isinstance(test, str))
        examples = tuple(Example(**test) for test in self.tests if not isinstance(test, str))
        return Tests(self.test, asserts, examples, self.entry_point, self.setup)


class CritiqueRow(Row):
    """A critique as it stands in a row about a rollout."""

    case: CritiqueCase
    first_wrong_step: int | None = None
    steps: Sequence[Mapping[str, Any]] = ()
    answer: str | None = ""
    verified: bool = False
    source: str = ""
    judgement: str = ""
    reply: str = ""

    @classmethod
    def of(cls, critique: Critique) -> Self:
        """The row of a critique."""
        return cls(**critique.to_json(), verified=critique.verified, source=critique.source)

    def critique(self) -> Critique:
        """The critique of the row."""
        steps = tuple(CritiqueStep(**step) for step in self.steps)
        said = self.judgement, self.reply
        return Critique(self.case, self.first_wrong_step, steps, self.answer, self.verified, self.source, *said)


def _critique(where: str, key: str, value: object) -> CritiqueRow | None:
    return CritiqueRow(**cast("dict[str, Any]", value)) if isinstance(value, dict) else None


class RolloutRow(Row):
    """A sampled response: a row of a training run's or a preflight's `rollouts.jsonl`."""

    text: str
    problem_id: str
    step: int | None = None
    sample: int = 0
    num_tokens: int | None = None
    finish_reason: FinishReason = "stop"
    grade: str | None = None
    extracted: str | None = None
    score: float | None = None
    detail: Mapping[str, Any] | None = None
    context: str | None = None
    context_status: str | None = None
    critique: Annotated[CritiqueRow | None, _critique] = None
    token_ids: Sequence[int] = ()

    def rollout(self, problem: Problem) -> Rollout:
        """The rollout of the row, with its grade and its token ids where they are on record."""
        detail = Detail(**self.detail) if self.detail else None
        grade = Grade(Outcome(self.grade), self.extracted, self.score, detail) if self.grade else None
        ids = tuple(self.token_ids)
        return Rollout(problem, self.sample, self.text, ids, self.finish_reason, grade, self.num_tokens)

    def made(self) -> Critique | None:
        """The critique that came with it, if there is one."""
        return self.critique.critique() if self.critique is not None else None


def unparseable_tails(rows: Iterable[RolloutRow], most: int = 2) -> list[str]:
    """The first responses in which no answer was found, a line each: which one, and how it ends."""
    found = (row for row in rows if row.grade == Outcome.UNPARSEABLE)
    return [
        f"{row.problem_id}, sample {row.sample}: {'…' * (len(row.text) > TAIL)}{row.text[-TAIL:]!r}"
        for row in islice(found, most)
    ]


class CritiqueResult(CritiqueRow):
    """`critiques.jsonl` of `stepalign critique`: what became of one sample; `text` is the critique as a context."""

    problem_id: str
    sample: int = 0
    status: str
    reason: str = ""
    text: str | None = None


class PreflightCritique(Row):
    """`critiques.jsonl` of a preflight: the critique of one of its rollouts, None where the critic made none."""

    problem_id: str
    sample: int
    critique: Annotated[CritiqueRow | None, _critique]


class ProbedRow(RolloutRow):
    """`probes/rollouts.jsonl`: a rollout that is probed, with the two prompts that it is scored under."""

    tokens: Sequence[str] = ()
    token_steps: Sequence[int | None]
    student_prompt_ids: Sequence[int]
    teacher_prompt_ids: Sequence[int]
    first_wrong_step: int


class ProbeRow(Row):
    """`probes.jsonl`: a probe at a step (0: before training), A_t of each token, and the figures of `Localization`."""

    step: int
    probe: int
    problem_id: str
    context: str
    mean_advantage: float
    advantage: Sequence[float] = ()


class TeacherRow(Row):
    """`teacher.jsonl`: of some rollouts of a step the share that the self-teacher solves, that the student had solved,
    and that the teacher solves where the student failed."""

    step: int
    num_rollouts: int
    teacher: Number = None
    student: Number = None
    failures: Number = None


class WarningRow(Row):
    """`warnings.jsonl`: what a guard saw, and what it was at the start."""

    step: int
    metric: str
    message: str
    value: Number = None
    start: Number = None


class LedgerRow(Row):
    """`ledger.json`: what a critic was asked, what it cost, and what became of the rollouts."""

    num_samples: int = 0
    num_requests: int = 0
    num_cached: int = 0
    num_retries: int = 0
    num_verified: int = 0
    num_rejected: Mapping[str, int] = EMPTY
    num_reasked: Mapping[str, int] = EMPTY
    said: Mapping[str, str] = EMPTY
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    wall_s: float = 0.0


class SignalRow(Row):
    """`signal.json`: a rollout token by token, with the base model's A_t under each condition's context."""

    kind: str
    problem_id: str
    sample: int
    step: int | None
    case: CritiqueCase | None
    first_wrong_step: int | None
    text: str
    tokens: Sequence[str]
    token_steps: Sequence[int | None]
    contexts: Mapping[str, Mapping[str, Sequence[float]]]

    @classmethod
    def read(cls, where: str, value: object) -> Self:
        """As for every row; its lists are as long as its tokens."""
        row = mapping(where, value)
        lists = {"tokens": row.get("tokens"), "token_steps": row.get("token_steps")}
        for name, context in mapping(f"{where}, contexts", row.get("contexts")).items():
            lists[name] = mapping(f"{where}, {name}", context).get("advantage")
        sizes = {
            name: len(cast("list[Any]", items)) if isinstance(items, list) else None for name, items in lists.items()
        }
        if None in sizes.values() or len(set(sizes.values())) != 1:
            raise DataError(f"{where}: expected lists of one length; got {sizes}.")
        return cls(**row)
