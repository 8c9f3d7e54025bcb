"""The critic of a run, as feedback formats want one, with its ledger on disk.

>>> critic = make_recorded_critic(CriticSettings(critic="exact"), grader.grade, directory)
>>> [critique.case for critique in critic(rollouts)], read_json(directory / LEDGER)["num_verified"]
(['C', 'D', 'A'], 3)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any, cast

from stepalign.core.critique import Critique
from stepalign.core.errors import DataError
from stepalign.core.files import read_json, write_json, write_jsonl
from stepalign.core.rollout import Rollout
from stepalign.data.label import Label
from stepalign.feedback.critics.audit import audit, identity, kept_audit
from stepalign.feedback.critics.critic import Critic, CritiqueRecord, RewritingCritic
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.critics.verify import GradeFunction
from stepalign.feedback.formats import AskCritic
from stepalign.runs.files import AUDIT, CRITIQUES, LEDGER, USED_LABELS, USED_PROBLEMS, USED_SAMPLES
from stepalign.runs.row import read_rows
from stepalign.runs.rows import CritiqueResult


class RecordedCritic:
    """A critic as formats want one, whose ledger is on disk after every call and goes on when a run does.

    Of several processes each asks about its own rollouts and has a file of its own, `ledger.process-<k>.json`; the
    first keeps their sum in `ledger.json`, which lags behind by a call of the others until `write_total` at the end.
    """

    def __init__(self, critic: Critic, path: Path, process_index: int = 0, num_processes: int = 1):
        self.critic, self.path, self.process_index = critic, path, process_index
        several = num_processes > 1 or bool(self._parts())
        self.own = path.with_name(f"{path.stem}.process-{process_index}.json") if several else path
        before = path if process_index == 0 and not self._parts() else self.own  # path: of one process alone
        self.earlier: dict[str, Any] = read_json(before) if before.exists() else {}

    def __call__(self, rollouts: Sequence[Rollout]) -> list[Critique | None]:
        """A critique for each rollout, None where there is none."""
        return self._recorded(self.critic.critique(rollouts))

    @property
    def can_rewrite(self) -> bool:
        """Whether the critic can be told which step to write again."""
        return bool(getattr(self.critic, "can_rewrite", False))

    def rewrite(self, rollouts: Sequence[Rollout], steps: Sequence[int]) -> list[Critique | None]:
        """Of each rollout the critique that writes a given step (from 1) again, None where there is none."""
        return self._recorded(cast("RewritingCritic", self.critic).rewrite(rollouts, steps))

    def _recorded(self, records: Sequence[CritiqueRecord]) -> list[Critique | None]:
        write_json(self.own, add_ledgers(self.earlier, self.critic.ledger.to_json()))
        self.write_total()
        return [record.critique for record in records]

    @property
    def last_words(self) -> str:
        """What was said last when the critic was asked in vain; empty where nobody said anything."""
        reason, words = next(reversed(self.critic.ledger.said.items()), ("", ""))
        return str(getattr(self.critic, "last_words", "")) or (f"{reason}: {words}" if reason else "")

    def write_total(self) -> None:
        """On the first process, where there are several: the sum over all."""
        parts = self._parts()
        if parts and self.process_index == 0:
            write_json(self.path, reduce(add_ledgers, (read_json(part) for part in parts)))

    def _parts(self) -> list[Path]:
        return sorted(self.path.parent.glob(f"{self.path.stem}.process-*.json"))


def make_recorded_critic(
    settings: CriticSettings | None, grade: GradeFunction, directory: Path, processes: tuple[int, int] = (0, 1)
) -> RecordedCritic | None:
    """The critic that the settings name, None for none; `processes`: which one of how many, which share its budgets."""
    from stepalign.feedback.critics.build import build_critic

    if settings is None:
        return None
    if (found := kept_audit(settings)) is not None and processes[0] == 0:
        write_json(directory / AUDIT, found)
    if processes[1] > 1:
        settings = replace(
            settings,
            critic_token_budget=settings.critic_token_budget // processes[1],
            critic_cost_budget=settings.critic_cost_budget / processes[1],
        )
    return RecordedCritic(build_critic(settings, grade), directory / LEDGER, *processes)


def critiques_in(path: Path) -> AskCritic:
    """The critiques of a file that `stepalign critique` wrote, as formats ask for them; None for a rollout without one.

    Raises:
        DataError: there is no such file, it is empty, or its rows are no critiques.
    """
    rows = read_rows(path, CritiqueResult)
    if not rows:
        what = "an empty file" if path.exists() else "no such file"
        raise DataError(
            f"{path}: got {what}; expected critiques.jsonl as stepalign critique writes it. Check the path."
        )
    known = {(row.problem_id, row.sample): row for row in rows if row.get("case") is not None}

    def ask(rollouts: Sequence[Rollout]) -> list[Critique | None]:
        found = [known.get((rollout.problem.id, rollout.sample)) for rollout in rollouts]
        return [None if row is None else made(row) for row in found]

    def made(row: CritiqueResult) -> Critique:
        critique = replace(row.critique(), source=str(path))
        return critique if row.status == "verified" else replace(critique, reply="")  # that of the rejected one

    return ask


def add_ledgers(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    """The sum of two ledgers, counts by reason included; of what was said for one reason, the words of the second."""
    total = dict(a)
    for key, value in b.items():
        if isinstance(value, dict):
            total[key] = add_ledgers(a.get(key, {}), value)
        elif isinstance(value, str):  # what was said: the later words stand
            total[key] = value
        else:
            total[key] = round(a.get(key, 0) + value, 6)
    return total


def write_critiques(
    directory: Path,
    critic: Critic,
    rollouts: Sequence[Rollout],
    records: Sequence[CritiqueRecord],
    audited: Mapping[str, Any] | None = None,
) -> None:
    """Write what `stepalign critique` leaves: a critique a rollout, the ledger, and what was asked about; `audited` is
    an earlier audit of the critic."""
    problems = {rollout.problem.id: rollout.problem for rollout in rollouts}
    write_jsonl(directory / USED_PROBLEMS, (problem.to_json() for problem in problems.values()))
    write_jsonl(directory / USED_SAMPLES, (rollout.to_json() for rollout in rollouts))
    write_jsonl(directory / CRITIQUES, [record.to_json() for record in records])
    write_json(directory / LEDGER, critic.ledger.to_json())
    if audited is not None:
        write_json(directory / AUDIT, audited)


def write_audit(
    directory: Path,
    settings: CriticSettings,
    critic: Critic,
    labels: Sequence[Label],
    records: Sequence[CritiqueRecord],
) -> dict[str, Any]:
    """Write `audit.json`, and the labels beside it; returns what is in it."""
    ledger = critic.ledger.to_json()
    cost = {name: ledger[name] for name in ("num_requests", "num_cached", "tokens_in", "tokens_out", "cost", "wall_s")}
    found = {**identity(settings), **audit(labels, records, settings.critique_protocol), "spent": cost}
    write_jsonl(directory / USED_LABELS, (label.to_json() for label in labels))
    write_json(directory / AUDIT, found)
    return found
