"""Is a feedback format worth training on? One rule, from what a preflight measured: no-go, cannot tell, caution or go.

Looked at in this order; the first that holds decides, and reasons of the same verdict are all told.

no-go    more than `MAX_UNUSABLE` of the rollouts have no context, or one that does not fit: they would carry no loss.
no-go    more than `MAX_QUOTED` of the contexts of wrong rollouts hold the whole wrong step: the teacher copies errors.
no-go    the teacher does not beat the student: the paired interval of the difference reaches 0. What the context does
         not let the model do, its distribution cannot teach.
cannot tell  in place of the last no-go, where more than `MAX_UNANSWERED` of the student's or of the teacher's responses
         were cut off, or had no answer that was found: then it is the format that fails, whatever the context does.
caution  A_t on correct steps is clearly below 0 (all of its interval): the teacher pulls the student away from its own
         right steps, so training first pays for a change of style, and may never get beyond it.
go       none of these.

Formats are ranked by verdict, then by onset share, `aim` in the files (of all that A_t pushes down up to the end of the
first wrong step, the mean share that falls on that step, to two digits), then by mean A_t on correct steps. The first
that is a go or a caution is expected to train best. The order was decided by thinking, not fitted to runs: the loss
moves tokens by as many nats as A_t says, so a signal whose weight lies elsewhere mostly changes something else than the
step that fails. What comes after the error does not count, because most of it is wrong for that reason. AUROC, which
knows the order of the values alone, is shown but does not rank: most tokens of a wrong step are right, and count as
much as the one that is not.

    >>> summary = summarize_format("refsol", rows)
    >>> verdict, reasons = judge(summary)
    >>> rank({"refsol": summary})
    ['refsol']
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import Any, NamedTuple

from stepalign.maths.intervals import bootstrap_interval, paired_bootstrap

MAX_UNUSABLE = 0.5  # share of rollouts
MAX_QUOTED = 0.1  # share of contexts of rollouts with a wrong step
MAX_UNANSWERED = 0.5  # share of responses that were cut off, or had no answer that was found
ORDER = ("go", "caution", "cannot tell", "no-go")

Row = Mapping[str, Any]
LOCALIZATION = ("aim", "auroc", "negative_mass_share", "mean_correct", "mean_wrong", "pushed_down_rate", "first_token")


class Verdict(NamedTuple):
    """`verdict` is go, caution, cannot tell or no-go; `reasons` are sentences for the reader."""

    verdict: str
    reasons: list[str]


def summarize_format(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    """What was measured of one feedback format.

    Args:
        name: the format; `row["formats"][name]` is its part of a row.
        rows: one a rollout: `problem_id`, `is_correct` (None where grading timed out), `finish_reason`, `grade`,
            `first_wrong_step`, `formats`.
    Returns:
        Shares (0 to 1), means with 95 % bootstrap intervals over problems, None where nothing could be measured.
    """
    parts = [(row, row["formats"][name]) for row in rows]
    usable = [(row, part) for row, part in parts if part["status"] == "ok"]
    wrong = [part for row, part in usable if row["first_wrong_step"] is not None]
    lengths = [part["num_context_tokens"] for _, part in parts if part["status"] != "none"]
    return {
        "num_rollouts": len(parts),
        "none_rate": _share(part["status"] == "none" for _, part in parts),
        "too_long_rate": _share(part["status"] == "too_long" for _, part in parts),
        "num_context_tokens": {"mean": fmean(lengths), "max": max(lengths)} if lengths else None,
        "has_answer_rate": _share(part["has_answer"] for _, part in usable),
        "solves": _solves(name, rows),
        "failures": _failures(name, rows),
        "cut_off_rate": _both(rows, usable, "finish_reason", "length"),
        "unparseable_rate": _both(rows, usable, "grade", "unparseable"),
        **{key: _over_problems(usable, "localization", key) for key in LOCALIZATION},
        "copied_share": _over_problems(usable, "alignment", "overall"),
        "quotes_wrong_step_rate": _share(part["alignment"]["quotes_wrong_step"] for part in wrong),
        "num_wrong_rollouts": len(wrong),
        "mean_length": {
            "student": fmean(row["num_tokens"] for row in rows),
            "teacher": fmean(answered) if (answered := [p["teacher_num_tokens"] for _, p in usable]) else None,
        },
    }


def judge(summary: Mapping[str, Any]) -> Verdict:
    """The rule at the head of this file."""
    unusable = summary["none_rate"] + summary["too_long_rate"]
    quoted, solves, correct = summary["quotes_wrong_step_rate"], summary["solves"], summary["mean_correct"]
    against: list[str] = []
    if unusable > MAX_UNUSABLE:
        against.append(
            f"{_percent(unusable)} of the rollouts would carry no loss: {_percent(summary['none_rate'])} have no "
            f"context, for {_percent(summary['too_long_rate'])} the teacher's prompt does not fit."
        )
    if quoted is not None and quoted > MAX_QUOTED:
        against.append(
            f"{_percent(quoted)} of the contexts of wrong rollouts quote the wrong step: the teacher copies it."
        )
    verdict = "no-go"
    if solves is None or solves["ci95"][0] <= 0:
        unanswered = _unanswered(summary)
        verdict = "cannot tell" if unanswered and not against else verdict
        against.append(unanswered or _does_not_help(solves))
    if against or solves is None:
        return Verdict(verdict, against)
    student, teacher = (_percent(solves[who]) for who in ("student", "teacher"))
    helps = f"The context helps: {student} solved without it, {teacher} with it."
    if correct is None:
        return Verdict("go", [helps, "Where its signal falls is not known: no critique says which steps are right."])
    if correct["ci95"][1] < 0:
        pull = (
            f"It will pull the student away from its own right steps: mean A_t on them is {correct['mean']:+.2f} nats "
            f"({correct['ci95'][0]:+.2f} to {correct['ci95'][1]:+.2f})."
        )
        return Verdict("caution", [helps, pull])
    return Verdict("go", [helps, f"Mean A_t on correct steps is {correct['mean']:+.2f} nats."])


def _unanswered(summary: Mapping[str, Any]) -> str:
    """Why it cannot be told whether the context helps, empty where it can."""
    for key, what, remedy in (
        ("cut_off_rate", "of the responses were cut off", "raise max_completion_length."),
        (
            "unparseable_rate",
            "of the answers were not found",
            "see how the responses in rollouts.jsonl and teacher.jsonl end, and set prompt_templates or "
            "answer_patterns to what the model writes.",
        ),
    ):
        rates = {who: rate for who, rate in summary[key].items() if rate is not None}
        if rates and max(rates.values()) > MAX_UNANSWERED:
            both = ", ".join(f"{who} {_percent(rate)}" for who, rate in rates.items())
            return f"{_percent(max(rates.values()))} {what} ({both}): {remedy}"
    return ""


def _does_not_help(solves: Mapping[str, Any] | None) -> str:
    if solves is None:
        return "No rollout of the teacher could be graded."
    low, high = solves["ci95"]
    return (
        f"The context does not help: the teacher solves {_percent(solves['teacher'])}, the student "
        f"{_percent(solves['student'])} (difference {_signed(low)} to {_signed(high)} points)."
    )


def rank(summaries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The formats, best first, by the criterion at the head of this file."""

    def key(name: str) -> tuple[int, float, float]:
        summary = summaries[name]
        known = (summary[measure] for measure in ("aim", "mean_correct"))
        onset_share, correct = (0.0 if entry is None else entry["mean"] for entry in known)
        return ORDER.index(judge(summary).verdict), -round(onset_share, 2), -correct

    return sorted(summaries, key=key)


def expected_best(summaries: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The format that should train best, None where no verdict is a go, with caution or without."""
    return next((name for name in rank(summaries) if judge(summaries[name]).verdict in ("go", "caution")), None)


def _both(rows: Sequence[Row], usable: Sequence[tuple[Row, Row]], key: str, value: str) -> dict[str, float | None]:
    """The share of the student's responses, and of the teacher's, that have a value; None where none is known."""
    teacher = [part.get(f"teacher_{key}") for _, part in usable]
    sides = {"student": [row.get(key) for row in rows], "teacher": teacher}
    return {who: _share(found == value for found in side if found is not None) for who, side in sides.items()}


def _solves(name: str, rows: Sequence[Row]) -> dict[str, Any] | None:
    """Solve rates of student and teacher, and their difference, over the problems of which both were graded.

    The student's rate of a problem is that of all its rollouts; the teacher's is of those with a usable context.
    """
    teacher = _by_problem((row["problem_id"], row["formats"][name]["teacher_is_correct"]) for row in rows)
    student = _by_problem((row["problem_id"], row["is_correct"]) for row in rows)
    problems = [problem for problem in student if problem in teacher]
    if not problems:
        return None
    paired = paired_bootstrap([teacher[p] for p in problems], [student[p] for p in problems])
    return {
        "student": fmean(student[p] for p in problems),
        "teacher": fmean(teacher[p] for p in problems),
        "difference": paired.estimate,
        "ci95": [paired.low, paired.high],
        "num_problems": paired.num_problems,
    }


def _failures(name: str, rows: Sequence[Row]) -> dict[str, Any] | None:
    """Of the student's failures, the share that the teacher solves, that plain resampling solves, and the gap.

    What resampling does is told by the other rollouts of the problem, which know nothing of this one's failure; a
    failure counts where the teacher answered it and there are others. Means over problems; None where there are none.
    """
    rollouts: dict[str, list[Row]] = {}
    for row in rows:
        if row["is_correct"] is not None:
            rollouts.setdefault(row["problem_id"], []).append(row)
    teacher: list[tuple[str, float | None]] = []
    resampled: list[tuple[str, float | None]] = []
    for problem, own in rollouts.items():
        num_right = sum(bool(row["is_correct"]) for row in own)
        for row in own if len(own) > 1 else ():
            solved = row["formats"][name]["teacher_is_correct"]
            if not row["is_correct"] and solved is not None:
                teacher.append((problem, solved))
                resampled.append((problem, num_right / (len(own) - 1)))
    if not teacher:
        return None
    of_teacher, of_resampling = _by_problem(teacher), _by_problem(resampled)
    paired = paired_bootstrap([*of_teacher.values()], [*of_resampling.values()])
    return {
        "num_rollouts": len(teacher),
        "teacher": fmean(of_teacher.values()),
        "resampling": fmean(of_resampling.values()),
        "gap": paired.estimate,
        "ci95": [paired.low, paired.high],
    }


def _over_problems(parts: Sequence[tuple[Row, Row]], group: str, key: str) -> dict[str, Any] | None:
    """One number's mean over problems with its interval, and its median over rollouts; None where no rollout has it."""
    known = [(row["problem_id"], part[group][key]) for row, part in parts if part[group] is not None]
    values = [value for _, value in known if value is not None]
    if not values:
        return None
    interval = bootstrap_interval(list(_by_problem(known).values()))
    return {
        "mean": interval.estimate,
        "ci95": [interval.low, interval.high],
        "median": median(values),
        "num_rollouts": len(values),
    }


def _by_problem(values: Iterable[tuple[str, float | None]]) -> dict[str, float]:
    """Mean of each problem's values; what is None is left out."""
    known: dict[str, list[float]] = {}
    for problem, value in values:
        if value is not None:
            known.setdefault(problem, []).append(float(value))
    return {problem: fmean(numbers) for problem, numbers in known.items()}


def _share(flags: Iterable[bool]) -> float | None:
    known = list(flags)
    return sum(known) / len(known) if known else None


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _signed(share: float) -> str:
    return f"{100 * share:+.0f}"
