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
from math import isfinite
from typing import Any, NamedTuple

from stepalign.core.trace import parse_trace
from stepalign.maths.localization import lowest_step_hit
from stepalign.report.page.sections import Browser
from stepalign.report.page.text import clean, visible
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
    "changed": "Critique changed",
}
NUMBERS = ("step", "sample")
COLUMNS = ("condition", "step", "problem_id", "sample", "grade")
FILTERS = ("condition", "seed", "step", "grade", "context_status", "case", "changed")
DIGITS = 3  # of A_t in a page


@dataclass(frozen=True)
class Side:
    """What stands beside a trace: a text, or a note where there is none."""

    label: str
    text: str | None
    note: str = ""


@dataclass(frozen=True)
class Scored:
    """A_t of a rollout's tokens under one or more contexts, in nats.

    Attributes:
        tokens: their texts; `token_steps`: the step of each, None outside of the steps.
        contexts: A_t by context, a number a token; by step of training where `at` names steps.
    """

    tokens: Sequence[str]
    token_steps: Sequence[int | None]
    first_wrong_step: int | None
    contexts: Mapping[str, Sequence[Sequence[float]]]
    at: Sequence[int] = ()

    def to_json(self) -> dict[str, Any]:
        """What the page's script reads, clean."""
        rounded = {visible(name): [*map(_rounded, rows)] for name, rows in self.contexts.items()}
        contexts = {n: {"advantage": rows[0], **({"by_step": rows} if self.at else {})} for n, rows in rounded.items()}
        kept = {
            "tokens": [visible(token) for token in self.tokens],
            "token_steps": list(self.token_steps),
            "at": list(self.at),
        }
        return {**kept, "first_wrong_step": self.first_wrong_step, "contexts": contexts}

    @property
    def said(self) -> str:
        """At how many steps it was scored."""
        return f"at {len(self.at)} steps of training" if self.at else "yes"

    def labels(self) -> dict[str, object]:
        """By which it is found: the lowest A_t of its steps under each context, and where that is."""
        found: dict[str, object] = {}
        for name, (advantage, *_) in self.contexts.items():
            inside = [a for a, step in zip(advantage, self.token_steps, strict=True) if step is not None]
            found[f"low {name}"] = round(min(inside), DIGITS) if inside else None
            hit = lowest_step_hit(advantage, self.token_steps, self.first_wrong_step)
            found[f"aim {name}"] = None if hit is None else "in the wrong step" if hit.hit == 1 else "elsewhere"
        return found


@dataclass(frozen=True)
class Shown:
    """A rollout with its own labels, by which it can be found, and what is shown with it.

    Attributes:
        row: the rollout.
        labels: values of further columns of the index.
        sides: texts beside the trace.
        facts: names and values above it.
        critique: of the rollout, where its row has none.
        reply: the critic's, as it came, where the critique has none: a rejected one.
        scored: A_t of its tokens, where they are known.
    """

    row: RolloutRow
    labels: Mapping[str, object] = field(default_factory=dict[str, object])
    sides: Sequence[Side] = ()
    facts: Sequence[tuple[str, str]] = ()
    critique: CritiqueRow | None = None
    reply: str = ""
    scored: Scored | None = None

    @property
    def said(self) -> str:
        """The critic's reply."""
        return str(self.reply or (self.judged.reply if self.judged else "") or "")

    @property
    def judged(self) -> CritiqueRow | None:
        """The critique that is shown."""
        return self.critique or self.row.critique


class Archive(NamedTuple):
    """`index`: columns of equal length; `chunks`: packed texts; `num_total`: rollouts before sampling; `scored`: the
    contexts that some have A_t under."""

    index: dict[str, list[Any]]
    chunks: list[str]
    num_total: int
    scored: Sequence[str] = ()
    chunk_size: int = CHUNK_SIZE

    @property
    def num_kept(self) -> int:
        """Rollouts after sampling."""
        return len(self.index["problem_id"])

    def packed(self) -> dict[str, Any]:
        """What the browser's script finds in the page's data; clean."""
        return {"rollouts": self.index, "chunk_size": self.chunk_size, "scored": list(self.scored)}

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
    characters = sum(map(_size, rollouts))
    stride = max(1, -(-len(rollouts) // max_rollouts), -(-characters // max_characters))
    kept = rollouts[::stride]
    index = {name: [clean(it.labels.get(name)) for it in kept] for name in (kept[0].labels if kept else ())}
    index |= {name: [clean(getattr(it.row, name)) for it in kept] for name in FIELDS}
    index["case"] = [clean(it.judged.get("case")) if it.judged else None for it in kept]
    index["changed"] = [_changed(it.judged) for it in kept]
    index["scored"] = [it.scored.said if it.scored else "no" for it in kept]
    names = dict.fromkeys(name for it in kept if it.scored for name in it.scored.contexts)
    found = [it.scored.labels() if it.scored else {} for it in kept]
    index |= {clean(key): [of.get(key) for of in found] for name in names for key in (f"low {name}", f"aim {name}")}
    chunks = [pack([_texts(it) for it in kept[at : at + CHUNK_SIZE]]) for at in range(0, len(kept), CHUNK_SIZE)]
    return Archive(index, chunks, len(rollouts), clean(list(names)))


def _size(it: Shown) -> int:
    """Characters that a rollout takes, about."""
    numbers = len(it.scored.tokens) * sum(map(len, it.scored.contexts.values())) if it.scored else 0
    return len(str(it.row.text)) + len(it.said) + sum(len(str(side.text or "")) for side in it.sides) + 7 * numbers


def _changed(critique: CritiqueRow | None) -> str | None:
    """The first step that a critique does not take over as it is."""
    if critique is None:
        return None
    steps = enumerate(critique.steps if isinstance(critique.steps, list | tuple) else (), 1)
    changed = (n for n, step in steps if not isinstance(step, dict) or step.get("origin") != "copied")
    return f"step {number}" if (number := next(changed, None)) else "no step"


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
    judged = {name: value for name, value in critique.to_json().items() if name != "reply"} if critique else None
    wrong = critique.first_wrong_step if critique else None
    texts = clean(
        {
            "trace": split_trace(str(shown.row.text), wrong if isinstance(wrong, int) else None),
            "extracted": shown.row.extracted,
            "sides": [asdict(side) for side in shown.sides],
            "critique": judged,
            "reply": shown.said,
            "facts": [list(fact) for fact in shown.facts],
        }
    )
    return texts | ({"signal": shown.scored.to_json()} if shown.scored else {})


def _rounded(values: Sequence[float]) -> list[float | None]:
    return [round(value, DIGITS) if isfinite(value) else None for value in values]


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
