"""Rollouts for a report's browser: a small index for all of them, and their texts in packed chunks.

The index is one column a field, read when the page opens. The texts are gzipped chunks in base64, which the page
unpacks when a rollout is shown or searched, so that twenty thousand rollouts open at once. Beyond `MAX_ROLLOUTS`, or
`MAX_CHARACTERS` of text, every n-th rollout is kept, and the page says so.

    >>> shown = [Shown(row, {"condition": seed.condition}) for seed in run.seed_runs for row in seed.rollouts()]
    >>> archive = pack_rollouts(shown)
    >>> archive.num_total, archive.index["grade"][:3], len(archive.chunks)
    (384, ['correct', 'unparseable', 'timeout'], 2)
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from stepalign.core.trace import parse_trace
from stepalign.report.page.sections import Browser
from stepalign.report.page.text import clean
from stepalign.runs.rows import CritiqueRow, ProblemRow, RolloutRow

CHUNK_SIZE = 200
MAX_ROLLOUTS = 50_000
MAX_CHARACTERS = 300_000_000

FIELDS = ("step", "problem_id", "sample", "grade", "num_tokens", "finish_reason", "context_status")
LABELS = {
    "condition": "Condition",
    "seed": "Seed",
    "step": "Step",
    "problem_id": "Problem",
    "sample": "Sample",
    "grade": "Grade",
    "context_status": "Context",
    "case": "Critique case",
}
NUMBERS = ("step", "sample")
COLUMNS = ("condition", "step", "problem_id", "sample", "grade")
FILTERS = ("condition", "seed", "step", "grade", "context_status", "case")


@dataclass(frozen=True)
class Side:
    """What stands beside a trace: a text, or a note where there is none."""

    label: str
    text: str | None
    note: str = ""


@dataclass(frozen=True)
class Shown:
    """A rollout with its own labels, by which it can be found, and what is shown with it.

    Attributes:
        row: the rollout.
        labels: values of further columns of the index.
        sides: texts beside the trace.
        facts: names and values above it.
        critique: of the rollout, where its row has none.
    """

    row: RolloutRow
    labels: Mapping[str, object] = field(default_factory=dict[str, object])
    sides: Sequence[Side] = ()
    facts: Sequence[tuple[str, str]] = ()
    critique: CritiqueRow | None = None

    @property
    def judged(self) -> CritiqueRow | None:
        """The critique that is shown."""
        return self.critique or self.row.critique


class Archive(NamedTuple):
    """`index`: columns of equal length; `chunks`: packed texts; `num_total`: rollouts before sampling."""

    index: dict[str, list[Any]]
    chunks: list[str]
    num_total: int
    chunk_size: int = CHUNK_SIZE

    @property
    def num_kept(self) -> int:
        """Rollouts after sampling."""
        return len(self.index["problem_id"])

    def packed(self) -> dict[str, Any]:
        """What the browser's script finds in the page's data; clean."""
        return {"rollouts": self.index, "chunk_size": self.chunk_size}

    def browser(self, noun: str, none: str) -> Browser:
        """The browser over rollouts that are called so; `none` is said where there are none."""
        said = none
        if self.num_kept < self.num_total:
            said = f"An even sample: {self.num_kept:,} of the run's {self.num_total:,} {noun}."
        elif self.num_total:
            said = f"All {self.num_total:,} {noun}."
        return Browser(said, empty=not self.num_total)


def pack_rollouts(
    rollouts: Sequence[Shown], max_rollouts: int = MAX_ROLLOUTS, max_characters: int = MAX_CHARACTERS
) -> Archive:
    """Index and texts of rollouts, evenly sampled where there are more than the page should carry."""
    characters = sum(len(str(it.row.text)) + sum(len(str(side.text or "")) for side in it.sides) for it in rollouts)
    stride = max(1, -(-len(rollouts) // max_rollouts), -(-characters // max_characters))
    kept = rollouts[::stride]
    index = {name: [clean(it.labels.get(name)) for it in kept] for name in (kept[0].labels if kept else ())}
    index |= {name: [clean(getattr(it.row, name)) for it in kept] for name in FIELDS}
    index["case"] = [clean(it.judged.get("case")) if it.judged else None for it in kept]
    chunks = [pack([_texts(it) for it in kept[at : at + CHUNK_SIZE]]) for at in range(0, len(kept), CHUNK_SIZE)]
    return Archive(index, chunks, len(rollouts))


def browser_data(
    problems: Iterable[ProblemRow],
    columns: Iterable[str] = COLUMNS,
    filters: Iterable[str] = FILTERS,
    labels: Mapping[str, str] = LABELS,
    noun: str = "rollouts",
) -> dict[str, Any]:
    """What the browser's script is told: the problems, the columns of its list, and what it filters by."""
    names = LABELS | dict(labels)
    head = [[name, names[name], name in NUMBERS] for name in columns]
    browser = {"columns": head, "filters": [[name, names[name]] for name in filters], "noun": noun}
    return {"browser": browser, "problems": {str(row.id): [row.problem, row.get("answer")] for row in problems}}


def context_side(row: RolloutRow) -> Side:
    """A training rollout's context."""
    status = {
        "none": "none",
        "too_long": "too long for the prompt: skipped",
        "not_used": "not used by this condition",
    }.get(str(row.context_status), "none recorded")
    return Side("Context", row.context, f"No context: {status}.")


def _texts(shown: Shown) -> dict[str, Any]:
    """What is read one rollout at a time. `trace` is split before and after the first wrong step."""
    critique = shown.judged
    wrong = critique.first_wrong_step if critique else None
    return clean(
        {
            "trace": split_trace(str(shown.row.text), wrong if isinstance(wrong, int) else None),
            "extracted": shown.row.extracted,
            "sides": [asdict(side) for side in shown.sides],
            "critique": critique.to_json() if critique else None,
            "facts": [list(fact) for fact in shown.facts],
        }
    )


def split_trace(text: str, first_wrong_step: int | None) -> list[str]:
    """The text in one part, or in three where the critique names a wrong step: before it, the step, after it."""
    steps = parse_trace(text).steps if first_wrong_step else ()
    if not first_wrong_step or not 0 < first_wrong_step <= len(steps):
        return [text]
    step = steps[first_wrong_step - 1]
    return [text[: step.start], text[step.start : step.end], text[step.end :]]


def pack(value: Any) -> str:
    """JSON, gzipped, in base64; the same value always gives the same text."""
    return base64.b64encode(gzip.compress(json.dumps(value).encode(), compresslevel=6, mtime=0)).decode()
