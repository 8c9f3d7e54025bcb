"""The report's first page in words: what was compared, what came out, how sure that is, and what to keep in mind.

Every number is taken from the run. Conditions are ranked by avg@k on the test problems at the checkpoint that was
selected on validation, never at the best test value.

    >>> summary = summarize(run)
    >>> summary.compared[0]
    'Three conditions were trained: grpo, refsol and stepalign. ...'
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import NamedTuple

from stepalign.report.comparison.controls import against_controls, difference_sentence, sorted_by_control
from stepalign.report.numbers import count, duration, listing, percent, percent_interval, points
from stepalign.runs.evaluations import EvaluationMetrics
from stepalign.runs.reading import Run, SeedRun
from stepalign.runs.results import Difference
from stepalign.runs.world import MICRO

WORDS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


class Summary(NamedTuple):
    """Sentences, one paragraph or list item each."""

    compared: list[str]
    outcome: list[str]
    certainty: list[str]
    cautions: list[str]


class Score(NamedTuple):
    """One condition at its selected checkpoints: the test value of avg@k and the run of each seed."""

    condition: str
    values: list[float]
    runs: list[SeedRun]

    @property
    def value(self) -> float:
        """The mean over seeds."""
        return fmean(self.values)

    def interval(self, run: Run) -> tuple[float, float] | None:
        """The 95 % interval of `value`: over seeds and problems where there are several seeds, else over problems."""
        if len(self.runs) == 1 and self.runs[0].selected:
            return self.runs[0].selected.test.interval(run.main_key)
        return run.means.get(self.condition, EvaluationMetrics()).interval(run.main_key)


def summarize(run: Run) -> Summary:
    """The four parts of the summary."""
    scores = rank(run)
    parts = (_compared(run), _outcome(run, scores), _certainty(run, scores), _cautions(run, scores))
    return Summary(*([line.replace(" %", "\u00a0%") for line in part] for part in parts))


def rank(run: Run) -> list[Score]:
    """Conditions by their mean test value of avg@k at the checkpoints selected on validation, highest first."""
    scores: list[Score] = []
    for condition in run.conditions:
        found = [(seed, test_value(seed, run.main_key)) for seed in run.seeds_of(condition)]
        known = [(seed, value) for seed, value in found if value is not None]
        if known:
            scores.append(Score(condition, [value for _, value in known], [seed for seed, _ in known]))
    return sorted(scores, key=lambda score: -score.value)


def test_value(seed: SeedRun, key: str) -> float | None:
    """The test value at the selected checkpoint, None before there is one."""
    return seed.selected.test.get(key) if seed.selected else None


def _compared(run: Run) -> list[str]:
    conditions = run.conditions
    if not conditions:
        return ["No condition has started."]
    amount = WORDS[len(conditions)] if len(conditions) < len(WORDS) else str(len(conditions))
    noun = "condition was" if len(conditions) == 1 else "conditions were"
    text = f"{amount} {noun} trained: {listing(conditions)}"
    model = str(run.config.get("model") or run.config.get("model_name_or_path") or "")
    text += f". Solver: {model}." if model else "."
    sizes = [f"{len(rows)} {split}" for split, rows in run.problems.items() if rows]
    if sizes:
        text += f" Problems: {listing(sizes)}."
    seeds = list(dict.fromkeys(seed.seed for seed in run.seed_runs))
    text += f" {'Seed' if len(seeds) == 1 else 'Seeds'}: {listing(seeds)}."
    return [text]


def _outcome(run: Run, scores: list[Score]) -> list[str]:
    if not scores:
        return ["No checkpoint has been selected yet, so there is nothing to rank."]
    base = run.base.get(run.main_key)
    start = f"; the base model stands at {percent(base)} %" if base is not None else ""
    top = percent(scores[0].value)
    if len(scores) == 1:
        led = f"{scores[0].condition} reaches {run.main_key} of {top} % on the test problems"
    else:
        led = f"{_leaders(scores)} {run.main_key} on the test problems: {top} %"
    lines = [f"{led} at the checkpoint chosen on validation{start}."]
    if len(scores) > 1:
        order = "In order" if scores[-1].value < scores[0].value else "With 95 % intervals"
        lines.append(f"{order}: {', '.join(_scored(run, score) for score in scores)}.")
    return lines + _cost(run, scores)


def _leaders(scores: list[Score]) -> str:
    """Who is first of several, ties included."""
    first = [score.condition for score in scores if score.value == scores[0].value]
    if len(first) == len(scores):
        return f"{listing(first)} have the same"
    return f"{listing(first)} {'has' if len(first) == 1 else 'share'} the highest"


def _cost(run: Run, scores: list[Score]) -> list[str]:
    """What the selected checkpoints cost, and the order at an equal cost."""
    spent = [(score.condition, _mean_of(score.runs, "num_generated_tokens")) for score in scores]
    if len(spent) < 2 or any(tokens is None for _, tokens in spent):
        return []
    walls = [_mean_of(score.runs, "wall_s") for score in scores]
    parts = [
        f"{name} {count(tokens)} in {duration(wall)}" if wall is not None else f"{name} {count(tokens)}"
        for (name, tokens), wall in zip(spent, walls, strict=True)
    ]
    lines = [f"Tokens generated by the solver up to those checkpoints: {', '.join(parts)}."]
    return lines + _equal_tokens(run, scores)


def _equal_tokens(run: Run, scores: list[Score]) -> list[str]:
    """The order at the largest number of generated tokens that every condition reached."""
    budget = min(seed.checkpoints[-1].num_generated_tokens or 0 for score in scores for seed in score.runs)
    near = [(score.condition, *_nearest(score.runs, run.main_key, budget)) for score in scores]
    if not budget or any(value is None for _, value, _ in near):
        return []
    near.sort(key=lambda entry: -(entry[1] or 0))
    values = ", ".join(f"{name} {percent(value)} % ({count(tokens)})" for name, value, tokens in near)
    return [f"At the checkpoint nearest to {count(budget)} generated tokens, which every condition reached: {values}."]


def _scored(run: Run, score: Score) -> str:
    bounds = score.interval(run)
    return f"{score.condition} {percent(score.value)} %" + (f" ({percent_interval(bounds)})" if bounds else "")


def _mean_of(runs: list[SeedRun], key: str) -> float | None:
    """Mean over seeds of a cost at the selected checkpoint."""
    rows = [seed.at(seed.selected.step) if seed.selected else None for seed in runs]
    values = [getattr(row, key, None) for row in rows]
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(runs) else None


def _nearest(runs: list[SeedRun], key: str, tokens: float) -> tuple[float | None, float]:
    """Means over seeds of the test value and the generated tokens at the checkpoint nearest to `tokens`."""
    rows = [min(seed.checkpoints, key=lambda row: abs((row.num_generated_tokens or 0) - tokens)) for seed in runs]
    values = [value for row in rows if (value := row.test.get(key)) is not None]
    spent = fmean(row.num_generated_tokens or 0 for row in rows)
    return (fmean(values) if len(values) == len(rows) else None), spent


def _certainty(run: Run, scores: list[Score]) -> list[str]:
    lines = [
        difference_sentence(row)
        for row in sorted_by_control(run.differences)
        if row.metric == run.main_key and not row.is_control
    ]
    if not run.differences:  # of version 0.1.0
        lines = [sentence for pair, row in run.paired.items() if (sentence := _paired(pair, row, run.main_key))]
    if not lines and not run.differences and len(scores) > 1:
        lines += _overlap(run, scores[0], scores[1])
    if scores:
        lines.append(_seeds(scores))
        lines = [*against_controls(run.conditions, run.differences, run.main_key), *lines]
    return lines


def _paired(pair: str, row: Mapping[str, Difference], key: str) -> str | None:
    entry = row.get(key)
    if not entry or not entry.ci95:
        return None
    low, high = entry.ci95
    verdict = "which includes zero: the order is not settled" if low <= 0 <= high else "which excludes zero"
    return (
        f"{pair.replace(' - ', ' − ')}: {points(entry.difference)} points of {key}, paired over problems, "
        f"95 % interval {points(low)} to {points(high)}, {verdict}."
    )


def _overlap(run: Run, first: Score, second: Score) -> list[str]:
    """Without paired differences: the intervals of the two leading conditions, plainly."""
    bounds = [score.interval(run) for score in (first, second)]
    if bounds[0] is None or bounds[1] is None:
        return []
    verdict = "overlap, so the order is not settled" if bounds[0][0] <= bounds[1][1] else "do not overlap"
    return [
        f"95 % intervals: {first.condition} {percent_interval(bounds[0])}, {second.condition} "
        f"{percent_interval(bounds[1])}; they {verdict}."
    ]


def _seeds(scores: list[Score]) -> str:
    if max(len(score.runs) for score in scores) == 1:
        return "Each condition was trained with one seed, so nothing is known about the spread between seeds."
    parts = [
        f"{score.condition} {percent(min(score.values))} to {percent(max(score.values))} % ({len(score.values)})"
        for score in scores
    ]
    return f"Spread between seeds (number of seeds): {', '.join(parts)}."


def _cautions(run: Run, scores: list[Score]) -> list[str]:
    lines: list[str] = []
    if run.missing:
        lines.append(f"This run is not finished. {' '.join(run.missing)}")
    warned = [f"{seed.condition} (seed {seed.seed})" for seed in run.seed_runs if seed.warnings]
    if warned:
        lines.append(f"Training may have gone wrong in {listing(warned)}: see the warnings under Results.")
    tested = [run.base, *(row.test for seed in run.seed_runs for row in seed.checkpoints)]
    if len(tested) > 1 and all(metrics.get(run.main_key) == 0 for metrics in tested):
        lines.append(
            "No response to a test problem was right, before or after training: nothing here tells the conditions "
            "apart. Look at some rollouts, at the token limit and at how answers are written."
        )
    if run.world == MICRO:
        lines.append(
            "The micro world is constructed to show the mechanism in minutes. What comes out here is no evidence about "
            "language models at large."
        )
    lines.append(
        "Picking the best checkpoint on the test problems themselves, as the second table does, is optimistic."
    )
    return lines + _ungraded(scores)


def _ungraded(scores: list[Score]) -> list[str]:
    """Conditions of whose selected test samples more than 5 % could not be graded."""
    lines: list[str] = []
    for score in scores:
        rate = fmean(seed.selected.test.ungraded_rate for seed in score.runs if seed.selected)
        if rate > 0.05:
            lines.append(
                f"{percent(rate)} % of {score.condition}'s test samples could not be graded; none count as correct."
            )
    return lines
