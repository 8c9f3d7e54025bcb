"""Mean A_t by kind of token, as a bar chart with a group for each context.

>>> chart = class_chart("By kind of token", {"stepalign": [0.5, -2.0]}, ["digit", "word"])
>>> [(bar.label, bar.value) for bar in chart.groups[0][1]]
[('digits', 0.5), ('words', -2.0)]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from stepalign.report.page.sections import Bar, Chart

CLASSES = {
    "digit": "digits",
    "operator": "operators",
    "word": "words",
    "tag": "tags",
    "hedge": "hedges",
    "other": "punctuation, spaces",
}


def class_chart(title: str, advantages: Mapping[str, Sequence[float | None]], classes: Sequence[str]) -> Chart:
    """The chart of one response, or of several as if they were one.

    Args:
        title: of the chart.
        advantages: A_t of each token in nats under each context.
        classes: of each token, as `stepalign.core.token_classes` names them.
    """
    groups: list[tuple[str, list[Bar]]] = []
    for name, values in advantages.items():
        found: dict[str, list[float]] = {kind: [] for kind in CLASSES}
        for value, kind in zip(values, classes, strict=True):
            if value is not None:
                found[kind].append(value)
        groups.append((name, [Bar(CLASSES[kind], fmean(of)) for kind, of in found.items() if of]))
    return Chart(title, "nats", groups, signal=True)
