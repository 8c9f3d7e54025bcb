"""The first screen of a comparison: one sentence, which condition is how far from which control, how sure that is and
where its signal falls; and the picture of both.

    >>> headline(run)[:30]
    'No control was trained (none, '
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from stepalign.core.token_classes import token_classes
from stepalign.feedback.conditions import CONTROLS
from stepalign.maths.intervals import bootstrap_interval
from stepalign.maths.localization import localization
from stepalign.report.comparison.controls import against_controls, sorted_by_control
from stepalign.report.inspection.measures import number
from stepalign.report.numbers import listing, points
from stepalign.report.page.sections import Bar, Bars, Chart
from stepalign.report.probes import read_probes
from stepalign.report.token_classes import class_chart
from stepalign.runs.reading import Run
from stepalign.runs.results import PairedDifference
from stepalign.runs.rows import SignalRow

PARTS = {"mean_correct": "correct steps", "mean_wrong": "first wrong step"}
OF_PROBES = "Signal: rollouts of the first training step that are probed, before training; 95 % intervals over them."
OF_SIGNAL = "Signal: the rollouts that stand token by token below, of the base model."
Means = Mapping[str, Mapping[str, list[float]]]  # by condition, then by part: a number a rollout


def headline(run: Run) -> str:
    """What came out in a sentence, and where the signal falls in another; empty where nothing can be said yet."""
    if not any(seed.selected for seed in run.seed_runs):
        return ""
    best, means = _best(run), signal_means(run)
    no_claim = [] if best else against_controls(run.conditions, (), run.main_key)
    shown = best.condition if best else next(iter(means), "")
    lines = [difference_in_words(best), *_not_told_from(run, best.condition)] if best else no_claim
    return " ".join([*lines, _where(shown, means)] if shown in means else lines)


def picture(run: Run) -> Bars | None:
    """Differences by condition minus control, and where each condition's signal falls."""
    means = signal_means(run)
    groups = [(name, [_bar(label, values[key]) for key, label in PARTS.items()]) for name, values in means.items()]
    charts = [_differences(run), Chart("Where the signal falls: mean A_t", "nats", groups, signal=True)]
    shown = [chart for chart in charts if not chart.is_empty]
    aside = (OF_PROBES if any(_probed(run)) else OF_SIGNAL) if means else ""
    return Bars(shown, aside) if shown else None


def class_chart_of(run: Run) -> Bars | None:
    """Mean A_t by kind of token under each condition, over the rollouts of the figure."""
    rows = run.signal or ()
    values: dict[str, list[float | None]] = {name: [] for row in rows for name in row.contexts}
    for row in rows:
        for name, of in values.items():
            of += row.contexts[name]["advantage"] if name in row.contexts else [None] * len(row.tokens)
    kinds = [kind for row in rows for kind in token_classes(row.tokens)]
    return Bars([class_chart("Mean A_t by kind of token, over these rollouts", values, kinds)]) if rows else None


def difference_in_words(row: PairedDifference) -> str:
    """A condition minus a control, and how sure that is."""
    side = "above" if row.value >= 0 else "below"
    said = f"{row.condition} is {points(abs(row.value))[1:]} points of {row.metric} {side} the control {row.minus}"
    if not row.ci95:
        return f"{said}; how sure that is, is not known."
    low, high = row.ci95
    verdict = "includes zero: no gain from what the feedback says is shown" if low <= 0 <= high else "excludes zero"
    return f"{said}; the 95 % interval, {points(low)} to {points(high)}, {verdict}."


def _not_told_from(run: Run, condition: str) -> Iterator[str]:
    """A sentence about the other conditions, no controls, whose difference from one has an interval with zero in it."""
    others: list[str] = []
    for row in run.differences:
        pair = {row.condition, row.minus}
        if row.metric == run.main_key and condition in pair and not pair & {*CONTROLS}:
            others += pair - {condition} if row.ci95 and row.ci95[0] <= 0 <= row.ci95[1] else ()
    if others:
        yield f"{listing(others)} cannot be told from {condition}: the 95 % interval of the difference includes zero."


def signal_means(run: Run) -> Means:
    """Mean A_t on correct steps and on the first wrong one by condition: of the probes before training, else of the
    figure's rollouts that have a wrong step."""
    means: dict[str, dict[str, list[float]]] = {}
    for name, found in [*_probed(run)] or [entry for row in run.signal or () for entry in _located(row)]:
        of = means.setdefault(name, {key: [] for key in PARTS})
        for key in PARTS:
            value = found.get(key)
            if value is not None:
                of[key].append(value)
    return {name: of for name, of in means.items() if any(of.values())}


def _probed(run: Run) -> Iterator[tuple[str, Mapping[str, float | None]]]:
    """Condition and figures of each probe before training."""
    for seed in run.seed_runs:
        for probe in read_probes(seed.directory):
            if probe.at and probe.at[0].step == 0:
                yield seed.condition, probe.at[0].to_json()


def _located(row: SignalRow) -> Iterator[tuple[str, Mapping[str, float | None]]]:
    for name, context in row.contexts.items() if row.first_wrong_step else ():
        yield name, localization(context["advantage"], row.token_steps, row.first_wrong_step).to_json()


def _best(run: Run) -> PairedDifference | None:
    """Of the conditions that are no control the one farthest above its strongest control, minus that control."""
    nearest: dict[str, PairedDifference] = {}
    for row in run.differences:
        if row.is_control and row.condition not in CONTROLS and row.metric == run.main_key:
            nearest[row.condition] = min(nearest.get(row.condition, row), row, key=lambda it: it.value)
    return max(nearest.values(), key=lambda it: it.value, default=None)


def _differences(run: Run) -> Chart:
    """Conditions minus controls; conditions among themselves where there is no control."""
    rows = [row for row in sorted_by_control(run.differences) if row.metric == run.main_key]
    against = [row for row in rows if row.is_control]
    groups: dict[str, list[Bar]] = {}
    for row in against or rows:
        bounds = [100 * bound for bound in row.ci95] if row.ci95 else None
        groups.setdefault(row.condition, []).append(Bar(f"minus {row.minus}", 100 * row.value, bounds))
    what = "condition minus control" if against else "condition minus condition"
    return Chart(f"{run.main_key}, {what}", "points", list(groups.items()))


def _bar(label: str, values: Sequence[float]) -> Bar:
    """A mean over rollouts, with its interval where there are several."""
    if len(values) < 2:
        return Bar(label, values[0] if values else None)
    found = bootstrap_interval(values)
    return Bar(label, found.estimate, [found.low, found.high])


def _where(name: str, means: Means) -> str:
    on = {"mean_correct": "correct steps", "mean_wrong": "the first wrong step"}
    said = [f"{number(fmean(values))} on {on[key]}" for key, values in means[name].items() if values]
    return f"Mean A_t of {name}'s signal before training, in nats: {' and '.join(said)}."
