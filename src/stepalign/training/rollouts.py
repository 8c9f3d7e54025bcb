"""From sampled token ids to rollouts, and from rollouts to the run's record: what both trainers share.

`rollouts.jsonl` has one row a rollout: step, text, grade, and the context it got or why it got none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate.utils import gather_object
from torch import Tensor

from stepalign.core.critique import Context
from stepalign.core.files import write_json
from stepalign.core.problem import Problem
from stepalign.core.rollout import Grade, Outcome, Rollout
from stepalign.core.tokenizer import Tokenizer
from stepalign.runs.files import PROMPTS
from stepalign.runs.row import append_rows, read_rows
from stepalign.runs.rows import CritiqueRow, RolloutRow

GradeRollouts = Callable[[Sequence[Rollout]], list[Grade]]


def make_rollouts(
    problems: Sequence[Problem],
    token_ids: Sequence[Sequence[int]],
    tokenizer: Tokenizer,
    eos_token_ids: Sequence[int],
) -> list[Rollout]:
    """One ungraded rollout for each problem and its sampled ids; repeats of a problem are numbered from 0."""
    texts = tokenizer.batch_decode([list(ids) for ids in token_ids], skip_special_tokens=True)
    seen: dict[str, int] = {}
    rollouts: list[Rollout] = []
    for problem, ids, text in zip(problems, token_ids, texts, strict=True):
        sample = seen[problem.id] = seen.get(problem.id, -1) + 1
        stopped = bool(ids) and ids[-1] in eos_token_ids
        rollouts.append(Rollout(problem, sample, text, tuple(ids), "stop" if stopped else "length"))
    return rollouts


def first_prompt(tokenizer: Tokenizer, ids: Tensor, mask: Tensor, row: int = 0) -> str:
    """The text of one left-padded prompt of a batch (B, P), special tokens included."""
    return tokenizer.decode(ids[row][mask[row].bool()].tolist(), skip_special_tokens=False)


class RolloutLog:
    """Appends rollouts to the run's `rollouts.jsonl` and keeps the running totals that the curves are drawn against."""

    def __init__(self, path: Path):
        self.path = path
        self.prompts_path = path.with_name(PROMPTS)
        rows = read_rows(path, RolloutRow)
        self.step, self.statuses = 0, Counter[str]()  # of the newest step: why its rollouts had a context or none
        self.num_rollouts = len(rows)
        self.num_generated_tokens = sum(row.num_tokens or 0 for row in rows)

    def add(
        self,
        step: int,
        rollouts: Sequence[Rollout],
        contexts: Sequence[Context | None] | None = None,
        statuses: Sequence[str] | None = None,
        write: bool = True,
    ) -> None:
        """Record the rollouts of one step from all processes; only the main process (`write`) touches the file."""
        own: list[dict[str, Any]] = []
        for i, rollout in enumerate(rollouts):
            context = contexts[i] if contexts is not None else None
            row = {"step": step, **rollout.to_json(), "context": context.text if context else None}
            row["context_status"] = statuses[i] if statuses is not None else "not_used"
            if context is not None and context.critique is not None:
                row["critique"] = CritiqueRow.of(context.critique)
            own.append(row)
        rows = [RolloutRow(**row) for row in numbered(gather_object(own))]
        self.statuses = Counter(str(row.context_status) for row in rows) + (
            self.statuses if step == self.step else Counter[str]()
        )
        self.step = step
        self.num_rollouts += len(rows)
        self.num_generated_tokens += sum(row.num_tokens or 0 for row in rows)
        if write:
            append_rows(self.path, *rows)

    def save_prompts(self, student: str, teacher: str | None) -> None:
        """Keep both rendered prompts of the run's first rollout, once, exactly as they were tokenized."""
        if not self.prompts_path.exists():
            write_json(self.prompts_path, {"student": student, "teacher": teacher})


def numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of one step with a problem's samples counted from 0 over all processes, of which each counted its own."""
    counts: Counter[str] = Counter()
    for row in rows:
        row["sample"] = counts[row["problem_id"]]
        counts[row["problem_id"]] += 1
    return rows


def outcome_rates(rollouts: Sequence[Rollout]) -> Mapping[str, float]:
    """Share of each grading outcome over all processes, as metrics; ungraded rollouts count for none.

    Every process must call it, with its own rollouts.
    """
    outcomes = gather_object([r.grade.outcome if r.grade is not None else None for r in rollouts])
    return {f"rollouts/{outcome}_rate": outcomes.count(outcome) / max(1, len(outcomes)) for outcome in Outcome}
