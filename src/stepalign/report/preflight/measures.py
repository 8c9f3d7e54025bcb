"""What a preflight measured, in words: the rows of its table, the verdicts, and notes on them.

    >>> MEASURES["verdict"]({"verdict": "caution"})
    'go with caution'

A summary is an entry of `formats` in `preflight.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

FEW_PROBLEMS = 10  # below, a bootstrap over problems says little
SHORTER = 0.9  # of the student's mean length; a teacher below may leave out what the student needs
MEANINGS = {"go": "go", "caution": "go with caution", "cannot tell": "cannot tell", "no-go": "no-go"}
MISSING = "–"

Summary = Mapping[str, Any]
MEASURES: dict[str, Callable[[Summary], str]] = {
    "verdict": lambda s: MEANINGS[s["verdict"]],
    "student solves": lambda s: _percent(s["solves"] and s["solves"]["student"]),
    "teacher solves, with the context": lambda s: _percent(s["solves"] and s["solves"]["teacher"]),
    "difference, points": lambda s: _points(s["solves"]),
    "of the student's failures, teacher solves": lambda s: _percent(_failures(s) and _failures(s)["teacher"]),
    "  plain resampling solves": lambda s: _percent(_failures(s) and _failures(s)["resampling"]),
    "  gap, points": lambda s: _points(_failures(s), "gap"),
    "cut off, student / teacher": lambda s: _shares(s.get("cut_off_rate")),
    "no answer found, student / teacher": lambda s: _shares(s.get("unparseable_rate")),
    "response tokens, student / teacher": lambda s: _lengths(s["mean_length"]),
    "aim: of the push up to the error, on its step": lambda s: _mean(s["aim"]),
    "  median over rollouts (how many)": lambda s: _median(s["aim"]),
    "AUROC, wrong step against those before": lambda s: _mean(s["auroc"]),
    "A_t on the first wrong step, nats": lambda s: _mean(s["mean_wrong"], "+"),
    "A_t on correct steps, nats": lambda s: _mean(s["mean_correct"], "+"),
    "  pushed down by 0.5 nats or more": lambda s: _percent(s["pushed_down_rate"] and s["pushed_down_rate"]["mean"]),
    "A_t on the first token, nats": lambda s: _mean(s["first_token"], "+"),
    "correct text copied": lambda s: _percent(s["copied_share"] and s["copied_share"]["mean"]),
    "quotes the wrong step": lambda s: _percent(s["quotes_wrong_step_rate"]),
    "holds the answer": lambda s: _percent(s["has_answer_rate"]),
    "context tokens, mean (most)": lambda s: _length(s["num_context_tokens"]),
    "no context": lambda s: _percent(s["none_rate"]),
    "prompt too long": lambda s: _percent(s["too_long_rate"]),
    "critic, tokens in / out": lambda s: _price(s, "{tokens_in:.0f} / {tokens_out:.0f}"),
    "critic, price": lambda s: _price(s, "{cost:.5f}"),
    "critic, seconds": lambda s: _price(s, "{seconds:.3f}"),
}


def verdicts(result: Mapping[str, Any]) -> list[str]:
    """A sentence a format, best first, and which is expected to train best."""
    lines = [
        f"{name}: {MEANINGS[result['formats'][name]['verdict']]}. {' '.join(result['formats'][name]['reasons'])}"
        for name in result["ranking"]
    ]
    best = result["expected_best"]
    if best is None:
        if any(summary["verdict"] == "cannot tell" for summary in result["formats"].values()):
            return [*lines, "No format is expected to train best: from these responses it cannot be told."]
        return [*lines, "No format is expected to train well."]
    return [
        *lines,
        f"Expected to train best: {best} (by verdict, then aim, then A_t on correct steps).",
    ]


def notes(result: Mapping[str, Any]) -> list[str]:
    """What a reader of the numbers should know."""
    summaries = result["formats"].values()
    found: list[str] = []
    for name, summary in result["formats"].items():
        length = summary["mean_length"]
        if length["teacher"] is not None and length["teacher"] < SHORTER * length["student"]:
            found.append(
                f"{name}: the teacher's responses are {1 - length['teacher'] / length['student']:.0%} shorter than the "
                "student's. It may leave out work that the student cannot do without; the verdict does not see that."
            )
    if (foretold := result.get("predicted_gain")) and foretold["of"]:
        gains = ", ".join(f"{name} {100 * gain:+.0f}" for name, gain in foretold["of"].items())
        found.append(
            f"Gain that the gap over resampling predicts, points of avg@n after training: {gains}. By a line through "
            f"{foretold['num_points']} points (r = {foretold['correlation']:.2f}, give or take "
            f"{100 * foretold['spread']:.0f}), all of the constructed micro world: elsewhere it is a guess."
        )
    if any((s["has_answer_rate"] or 0) > 0 for s in summaries):
        found.append(
            "Contexts that hold the answer: that the teacher then solves more shows that it reads them. It does not by "
            "itself make it a good teacher; localization and A_t on correct steps say more."
        )
    if any(s["price_per_rollout"] and s["price_per_rollout"]["cached"] > 0 for s in summaries):
        found.append("Some of the critic's replies came from its cache and cost nothing now: a new run pays more.")
    if any(s["mean_wrong"] is None for s in summaries):
        found.append("Where no wrong step is known, nothing can be located. A critic says which: set critic_base_url.")
    if result.get("samples"):
        found.append(
            f"The student's rollouts were taken from {result['samples']}, not sampled: where another model wrote "
            "them, the student's solve rate is that model's, and A_t is of text that this one might never write."
        )
    if result["num_problems"] < FEW_PROBLEMS:
        found.append(f"{result['num_problems']} problems are few: the intervals are too narrow.")
    if result["is_micro"]:
        found.append("The micro world is constructed: its numbers are no evidence about language models at large.")
    return found


def _percent(share: float | None) -> str:
    return MISSING if share is None else f"{100 * share:.0f} %"


def _failures(summary: Summary) -> Any:
    return summary.get("failures")  # a preflight of version 0.1.0 has none


def _points(solves: Mapping[str, Any] | None, key: str = "difference") -> str:
    if solves is None:
        return MISSING
    low, high = solves["ci95"]
    return f"{100 * solves[key]:+.0f} [{100 * low:+.0f}, {100 * high:+.0f}]"


def _mean(entry: Mapping[str, Any] | None, sign: str = "") -> str:
    if entry is None:
        return MISSING
    low, high = entry["ci95"]
    return f"{entry['mean']:{sign}.2f} [{low:{sign}.2f}, {high:{sign}.2f}]"


def _median(entry: Mapping[str, Any] | None) -> str:
    return MISSING if entry is None else f"{entry['median']:.2f} ({entry['num_rollouts']})"


def _shares(entry: Mapping[str, float | None] | None) -> str:
    if entry is None:  # a preflight of version 0.1.0
        return MISSING
    return " / ".join(_percent(entry[who]) for who in ("student", "teacher"))


def _length(entry: Mapping[str, Any] | None) -> str:
    return MISSING if entry is None else f"{entry['mean']:.0f} ({entry['max']})"


def _lengths(entry: Mapping[str, Any]) -> str:
    teacher = MISSING if entry["teacher"] is None else f"{entry['teacher']:.0f}"
    return f"{entry['student']:.0f} / {teacher}"


def _price(summary: Summary, form: str) -> str:
    price = summary["price_per_rollout"]
    return MISSING if price is None else form.format(**price)
