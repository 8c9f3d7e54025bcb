"""Guards: simple rules on a run's metrics that say, once for each metric, when training looks like it is collapsing.

Most rules compare the mean of the last WINDOW logged steps with the mean of the first WINDOW (`start`); nothing is said
before both are full. Two have absolute limits and look at the first window already: a run whose responses are cut off
or cannot be read from the first step on does not get worse, it never was well. What fires is printed and appended to
the run's `warnings.jsonl`: step, metric, value, start, message. Training goes on: a guard informs, it does not decide.

    >>> trainer.add_callback(Guards(directory))

| metric | fires when its mean is |
|---|---|
| completions/clipped_ratio (truncated rate) | above 0.5, and above 3 x start; above 0.5 in the first window |
| rollouts/unparseable_rate | above 0.5, from the first window on |
| completions/mean_length | below 0.2 x start |
| entropy | below 0.1 x start |
| divergence/mean | above 3 x start |
| feedback/skipped_rate | above 0.5 |
| validation avg@k, where there is validation | (each value) below 0.5 x the best so far |
| pass@n of evaluations | below its start by more than chance, problem by problem, while avg@n is above |
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stepalign.maths.intervals import paired_bootstrap
from stepalign.runs.evaluations import EvaluationRow
from stepalign.runs.files import METRICS, ROLLOUTS, WARNINGS
from stepalign.runs.row import append_rows, read_rows
from stepalign.runs.rows import MetricsRow, RolloutRow, WarningRow, unparseable_tails

WINDOW = 5  # logged steps
MAX_TRUNCATED_RATE, TRUNCATED_GROWTH = 0.5, 3.0
MAX_UNPARSEABLE_RATE = 0.5
MIN_LENGTH_SHARE = 0.2
MIN_ENTROPY_SHARE = 0.1
DIVERGENCE_GROWTH = 3.0
MAX_SKIPPED_RATE = 0.5
MIN_ACCURACY_SHARE = 0.5

UNPARSEABLE = "rollouts/unparseable_rate"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """`fires(now, start)` on means of windows; `advice` says what it means and what to do.

    `num_windows` must be full before it is asked; of one, `now` and `start` are the same.
    """

    metric: str
    fires: Callable[[float, float], bool]
    advice: str
    num_windows: int = 2


RULES = (
    Rule(
        "completions/clipped_ratio",
        lambda now, start: start > MAX_TRUNCATED_RATE,
        "Most responses run into the token limit from the start, and so do not reach their answer: raise "
        "max_completion_length, or make the prompt ask for less.",
        num_windows=1,
    ),
    Rule(
        UNPARSEABLE,
        lambda now, start: now > MAX_UNPARSEABLE_RATE,
        "In most responses no answer was found, so that nothing is said of whether they are right: see how they end, "
        "and set prompt_templates or answer_patterns to what the model writes, or raise max_completion_length.",
        num_windows=1,
    ),
    Rule(
        "completions/clipped_ratio",
        lambda now, start: now > MAX_TRUNCATED_RATE and now > TRUNCATED_GROWTH * start,
        "Most responses now run into the token limit. Look at rollouts.jsonl for loops; lower learning_rate, stop at "
        "an earlier checkpoint, or raise max_completion_length if they are sound.",
    ),
    Rule(
        "completions/mean_length",
        lambda now, start: now < MIN_LENGTH_SHARE * start,
        "Responses have become very short. Look at rollouts.jsonl; the contexts may be shorter than real solutions. "
        "Lower learning_rate or stop at an earlier checkpoint.",
    ),
    Rule(
        "entropy",
        lambda now, start: now < MIN_ENTROPY_SHARE * start,
        "The policy hardly varies any more, so rollouts teach little. Lower learning_rate, raise temperature, or stop "
        "at an earlier checkpoint.",
    ),
    Rule(
        "divergence/mean",
        lambda now, start: now > DIVERGENCE_GROWTH * start,
        "Student and teacher drift apart instead of together. Lower learning_rate, set divergence_clip, or use "
        "teacher: initial.",
    ),
    Rule(
        "feedback/skipped_rate",
        lambda now, start: now > MAX_SKIPPED_RATE,
        "Most rollouts teach nothing: they have no context, or one that is too long. See context_status in "
        "rollouts.jsonl, num_rejected in ledger.json, and max_teacher_prompt_length.",
    ),
)


def findings(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What the rules find in the logged rows of a run, oldest first."""
    found: list[dict[str, Any]] = []
    for rule in RULES:
        values = [float(row[rule.metric]) for row in rows if row.get(rule.metric) is not None]
        if len(values) < rule.num_windows * WINDOW:
            continue
        start, now = fmean(values[:WINDOW]), fmean(values[-WINDOW:])
        if rule.fires(now, start):
            whole = len(values) >= 2 * WINDOW
            over = f"over the last {WINDOW} logged steps, {start:.3g} over the first" if whole else "from the start"
            said = f"{rule.metric} is {now:.3g} {over}."
            found.append({"metric": rule.metric, "value": now, "start": start, "message": f"{said} {rule.advice}"})
    return found


def validation_findings(metric: str, values: Sequence[float]) -> list[dict[str, Any]]:
    """The same for the values of validation, one a checkpoint."""
    if len(values) < 2 or values[-1] >= MIN_ACCURACY_SHARE * max(values):
        return []
    message = (
        f"validation {metric} is {values[-1]:.3g}; the best checkpoint had {max(values):.3g}. The model unlearns: "
        "stop, use the best checkpoint, and lower learning_rate."
    )
    return [{"metric": f"validation/{metric}", "value": values[-1], "start": max(values), "message": message}]


ROUNDING = 1e-9  # means of the same numbers in another order differ by less


def collapse_findings(rows: Sequence[EvaluationRow], split: str) -> list[dict[str, Any]]:
    """Whether the newest evaluation solves fewer problems at all while its single responses are right more often: the
    policy has narrowed on what it could do before.

    pass@n is compared with the first row's problem by problem, and counts as fallen where the 95 % interval of the
    difference lies below 0; avg@n, the same as pass@1, counts as risen where its mean has.

    Args:
        rows: evaluations with values by problem, oldest first; the untrained model's before them where it is known.
        split: on which problems.
    """
    if len(rows) < 2:
        return []
    first, now = (row.values.get(split, {}) for row in (rows[0], rows[-1]))
    n = rows[-1].on(split).num_samples
    some, one = f"pass@{n}", f"avg@{n}"
    if not all(key in values for key in (some, one) for values in (first, now)):
        return []
    fallen, risen = paired_bootstrap(now[some], first[some]), paired_bootstrap(now[one], first[one])
    if fallen.high >= 0 or risen.estimate < ROUNDING:
        return []
    start, value = rows[0].on(split)[some], rows[-1].on(split)[some]
    message = (
        f"{split} {some} is {value:.3g}, {start:.3g} at the start, while {one} rose to {rows[-1].on(split)[one]:.3g}. "
        "The policy collapses: fewer problems are solved at all. Use an earlier checkpoint, lower learning_rate, or "
        "try teacher: ema."
    )
    return [{"metric": f"{split}/{some}", "value": value, "start": start, "message": message}]


class Guards(TrainerCallback):
    """Watches a run's metrics on its main process; what was said in an earlier session is not said again."""

    def __init__(self, directory: Path):
        self.path, self.rollouts = directory / WARNINGS, directory / ROLLOUTS
        self.rows = [_watched(row.to_json()) for row in read_rows(directory / METRICS, MetricsRow)]
        self.said = {row.metric for row in read_rows(self.path, WarningRow)}

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: object,
    ) -> None:
        """Look at the newest step's metrics."""
        if state.is_world_process_zero and logs is not None and "loss" in logs:
            self.rows = [*self.rows[:WINDOW], *self.rows[WINDOW:][1 - WINDOW :], _watched(logs)]
            self.say(state.global_step, findings(self.rows))

    def say(self, step: int, found: Sequence[dict[str, Any]]) -> None:
        """Print and record what was not said before."""
        for finding in found:
            if finding["metric"] not in self.said:
                self.said.add(finding["metric"])
                if finding["metric"] == UNPARSEABLE:
                    finding["message"] += self._examples()
                append_rows(self.path, WarningRow(step=step, **finding))
                with tqdm.external_write_mode(file=sys.stderr):  # not into the middle of a bar
                    warnings.warn(f"step {step}: {finding['message']}", stacklevel=2)

    def _examples(self) -> str:
        return "".join(f"\n  {tail}" for tail in unparseable_tails(read_rows(self.rollouts, RolloutRow)))


def _watched(row: Row) -> dict[str, Any]:
    return {rule.metric: row[rule.metric] for rule in RULES if rule.metric in row}
