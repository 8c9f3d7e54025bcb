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
from collections.abc import Iterator
from typing import Any, NamedTuple

from stepalign.core.trace import parse_trace
from stepalign.report.comparison.loading import Run
from stepalign.report.page.text import clean

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
    rows = list(_rows(run))
    characters = sum(len(str(row["text"])) + len(str(row.get("context") or "")) for row in rows)
    stride = max(1, -(-len(rows) // max_rollouts), -(-characters // max_characters))
    kept = rows[::stride]
    names = ("condition", "seed", *FIELDS, "case")
    index = {name: [clean(row.get(name)) for row in kept] for name in names}
    chunks = [pack([_texts(row) for row in kept[at : at + CHUNK_SIZE]]) for at in range(0, len(kept), CHUNK_SIZE)]
    return Archive(index, chunks, len(rows))


def _rows(run: Run) -> Iterator[dict[str, Any]]:
    for seed_run in run.seed_runs:
        for row in seed_run.rollouts():
            case = _critique(row).get("case")
            yield row | {"condition": seed_run.condition, "seed": seed_run.seed, "case": case}


def _critique(row: dict[str, Any]) -> dict[str, Any]:
    critique = row.get("critique")
    return critique if isinstance(critique, dict) else {}


def _texts(row: dict[str, Any]) -> dict[str, Any]:
    """What is read one rollout at a time. `trace` is split before and after the first wrong step."""
    critique = _critique(row)
    first_wrong_step = critique.get("first_wrong_step")
    return clean(
        {
            "trace": split_trace(str(row["text"]), first_wrong_step if isinstance(first_wrong_step, int) else None),
            "extracted": row.get("extracted"),
            "context": row.get("context"),
            "critique": critique or None,
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
