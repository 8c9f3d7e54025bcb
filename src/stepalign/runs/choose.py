"""The two rules that choose among the checkpoints of a run; the earliest of equals wins in both.

`best` takes the best test value of each metric on its own, as in arXiv 2606.11173: optimistic, because it chooses on
the test problems. `selected` takes the checkpoint with the best validation value.

    >>> rows = run.seed_runs[0].checkpoints
    >>> best(rows, ["avg@12"])["avg@12"].step, selected(rows, "avg@12").step
    (60, 60)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stepalign.runs.evaluations import EvaluationRow
from stepalign.runs.results import Best


def best(rows: Sequence[EvaluationRow], keys: Iterable[str]) -> dict[str, Best]:
    """Of each metric the highest test value and its step; a metric that no checkpoint has is left out."""
    tops = {key: _highest(rows, "test", key) for key in keys}
    return {key: Best(step=top.step, value=top.test[key]) for key, top in tops.items() if top is not None}


def selected(rows: Sequence[EvaluationRow], key: str | None) -> EvaluationRow | None:
    """The checkpoint with the highest validation value of `key`, None where there is none."""
    return _highest(rows, "validation", key) if key else None


def _highest(rows: Sequence[EvaluationRow], split: str, key: str) -> EvaluationRow | None:
    scored = [row for row in rows if row.on(split).get(key) is not None]
    return max(scored, key=lambda row: row.on(split)[key], default=None)
