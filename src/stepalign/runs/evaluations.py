"""Evaluations: what is measured of a model on some problems, and a checkpoint's row of `evaluations.jsonl`.

A metric is declared here, as a field of `EvaluationMetrics`, and worked out in `stepalign.evaluation.evaluate`. Nothing
else lists the metrics: the report and the terminal go through what is declared.

    >>> metrics = EvaluationMetrics(**{"avg@12": 0.25, "ci95": {"avg@12": [0.2, 0.3]}})
    >>> metrics["avg@12"], metrics.interval("avg@12"), metrics.truncated_rate
    (0.25, (0.2, 0.3), None)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from stepalign.runs.row import EMPTY, Number, Row, bounds, declared_in, each, number, part
from stepalign.runs.rows import Progress

PASS_AT = "pass@k"


class Metric(NamedTuple):
    """What a metric is called, and what its numbers are: an accuracy or another share (0 to 1), tokens, or a number.

    `chart`: its place among the report's charts beside the accuracies, from 1; None: it has none.
    """

    label: str
    kind: Literal["accuracy", "share", "tokens", "number"]
    chart: int | None = None


class EvaluationMetrics(Row):
    """What was measured on one split. Of the metrics in `per_k` there is one for each k, under the key `avg@12`."""

    per_k: ClassVar[Mapping[str, Metric]] = {
        "pass": Metric("any of k responses is right", "accuracy"),
        "maj": Metric("the most frequent of k answers is right", "accuracy"),
        "avg": Metric("share of right responses", "accuracy"),
    }

    num_problems: int | None = None
    num_samples: int | None = None
    mean_length: Annotated[Number, Metric("mean length of a response", "tokens", chart=1)] = None
    unparseable_rate: Annotated[Number, Metric("responses in which no answer was found", "share", chart=3)] = None
    timeout_rate: Annotated[Number, Metric("responses whose grading took too long", "share", chart=4)] = None
    error_rate: Annotated[Number, Metric("responses on which the own grader failed", "share")] = None
    truncated_rate: Annotated[Number, Metric("responses cut off at the token limit", "share", chart=2)] = None
    num_distinct_answers: Annotated[Number, Metric("different answers to a problem", "number")] = None
    kl_to_base: Annotated[Number, Metric("KL(model || base model) of a token, in nats", "number")] = None
    hedge_rate: Annotated[Number, Metric("hedging phrases (wait, maybe, let me check) a word", "share")] = None
    mean_score: Annotated[Number, Metric("mean score of the own grader", "number")] = None
    ci95: Annotated[Mapping[str, list[float] | None], each(bounds)] = EMPTY  # of the accuracies, over problems

    def __getitem__(self, key: str) -> float:
        return self.__dict__["_values"][key]

    @property
    def pass_at(self) -> dict[int, float]:
        """pass@k by k, for every k up to the number of samples; written as `"pass@k": {"1": ...}`."""
        by_k: Mapping[str, float] = self.get(PASS_AT) or {}
        return {int(k): float(value) for k, value in by_k.items()}

    @classmethod
    def read(cls, where: str, value: object) -> Self:
        """As for every row; the accuracies are numbers, too."""
        metrics = super().read(where, value)
        for key in accuracy_keys([metrics]):
            number(where, key, metrics[key])
        return metrics

    def interval(self, key: str) -> tuple[float, float] | None:
        """The 95 % interval of a metric, None where there is none."""
        found = self.ci95.get(key)
        return (found[0], found[1]) if found else None

    @property
    def ungraded_rate(self) -> float:
        """Share of the responses that could not be graded."""
        return (self.unparseable_rate or 0) + (self.timeout_rate or 0) + (self.error_rate or 0)

    @property
    def unanswered(self) -> str:
        """What every accuracy is shown beside, in words: a format that fails looks like a model that fails."""
        rates = {"cut off": self.truncated_rate, "no answer found": self.unparseable_rate}
        rates |= {"grading timed out": self.timeout_rate} if self.timeout_rate else {}
        rates |= {"own grader failed": self.error_rate} if self.error_rate else {}
        return ", ".join(f"{label} {100 * rate:.1f} %" for label, rate in rates.items() if rate is not None)


class EvaluationRow(Progress):
    """A checkpoint, what it took, and its metrics on each split; `values` are those of each problem, in order."""

    validation: Annotated[EvaluationMetrics, part(EvaluationMetrics)] = EvaluationMetrics()
    test: Annotated[EvaluationMetrics, part(EvaluationMetrics)] = EvaluationMetrics()
    seen: Annotated[EvaluationMetrics, part(EvaluationMetrics)] = EvaluationMetrics()  # problems trained on
    out_of_domain: Annotated[EvaluationMetrics, part(EvaluationMetrics)] = EvaluationMetrics()
    values: Mapping[str, Mapping[str, Sequence[float]]] = EMPTY

    def on(self, split: str) -> EvaluationMetrics:
        """Its metrics on one split, empty where it was not evaluated."""
        return getattr(self, split)


def metric_of(key: str) -> Metric | None:
    """What is declared of the metric under a key, None where it is no metric, or `PASS_AT`, which is many."""
    if key == PASS_AT:
        return None
    notes = declared_in(EvaluationMetrics).get(key, ())
    return next((note for note in notes if isinstance(note, Metric)), EvaluationMetrics.per_k.get(key.split("@")[0]))


def charted() -> list[str]:
    """The metrics that have a chart beside the accuracies, in the charts' order."""
    charts = {key: m.chart for key in declared_in(EvaluationMetrics) if (m := metric_of(key)) and m.chart is not None}
    return sorted(charts, key=charts.__getitem__)


def accuracy_keys(metrics: Iterable[EvaluationMetrics]) -> list[str]:
    """The accuracies that any of them has: pass@k, maj@k and avg@k in this order, small k first."""
    families = list(EvaluationMetrics.per_k)
    accuracy = re.compile(rf"({'|'.join(families)})@([1-9]\d*)")
    found = {key: match for row in metrics for key in row.to_json() if (match := accuracy.fullmatch(key))}
    return sorted(found, key=lambda key: (families.index(found[key].group(1)), int(found[key].group(2))))


def main_key(keys: Sequence[str]) -> str | None:
    """The metric that ranks conditions and checkpoints: avg@k with the largest k."""
    return next((key for key in reversed(keys) if key.startswith("avg@")), None)
