"""The rollouts of a run for the report's browser: a small index for all of them, and their texts in packed chunks.

The index is one column a field, read when the page opens. The texts are gzipped chunks in base64, which the page
unpacks when a rollout is shown or searched, so that twenty thousand rollouts open at once. Beyond `MAX_ROLLOUTS`, or
`MAX_CHARACTERS` of text, every n-th rollout of each condition is kept, and the page says so.

    >>> archive = pack_rollouts(run)
    >>> archive.num_total, archive.index["grade"][:3], len(archive.chunks)
    (384, ['correct', 'unparseable', 'timeout'], 2)
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any, NamedTuple

from stepalign.core.trace import parse_trace
from stepalign.report.page.text import clean
from stepalign.runs.reading import Run
from stepalign.runs.rows import RolloutRow

CHUNK_SIZE = 200
MAX_ROLLOUTS = 50_000
MAX_CHARACTERS = 300_000_000

FIELDS = ("step", "problem_id", "sample", "grade", "num_tokens", "finish_reason", "context_status")


class Archive(NamedTuple):
    """`index`: columns of equal length; `chunks`: packed texts; `num_total`: rollouts before sampling."""

    index: dict[str, list[Any]]
    chunks: list[str]
    num_total: int
    chunk_size: int = CHUNK_SIZE


def pack_rollouts(run: Run, max_rollouts: int = MAX_ROLLOUTS, max_characters: int = MAX_CHARACTERS) -> Archive:
    """Index and texts of the run's rollouts, evenly sampled where there are more than the page should carry."""
    rows = [(seed, row) for seed in run.seed_runs for row in seed.rollouts()]
    characters = sum(len(str(row.text)) + len(str(row.context or "")) for _, row in rows)
    stride = max(1, -(-len(rows) // max_rollouts), -(-characters // max_characters))
    kept = rows[::stride]
    index = {name: [getattr(seed, name) for seed, _ in kept] for name in ("condition", "seed")}
    index |= {name: [clean(getattr(row, name)) for _, row in kept] for name in FIELDS}
    index["case"] = [clean(row.critique.get("case")) if row.critique else None for _, row in kept]
    chunks = [pack([_texts(row) for _, row in kept[at : at + CHUNK_SIZE]]) for at in range(0, len(kept), CHUNK_SIZE)]
    return Archive(index, chunks, len(rows))


def _texts(row: RolloutRow) -> dict[str, Any]:
    """What is read one rollout at a time. `trace` is split before and after the first wrong step."""
    critique = row.critique
    wrong = critique.first_wrong_step if critique else None
    return clean(
        {
            "trace": split_trace(str(row.text), wrong if isinstance(wrong, int) else None),
            "extracted": row.extracted,
            "context": row.context,
            "critique": critique.to_json() if critique else None,
        }
    )


def split_trace(text: str, first_wrong_step: int | None) -> list[str]:
    """The text in one part, or in three where the critique names a wrong step: before it, the step, after it."""
    steps = parse_trace(text).steps if first_wrong_step else ()
    if not first_wrong_step or not 0 < first_wrong_step <= len(steps):
        return [text]
    step = steps[first_wrong_step - 1]
    return [text[: step.start], text[step.start : step.end], text[step.end :]]


def pack(value: object) -> str:
    """JSON, gzipped, in base64; the same value always gives the same text."""
    return base64.b64encode(gzip.compress(json.dumps(value).encode(), compresslevel=6, mtime=0)).decode()
