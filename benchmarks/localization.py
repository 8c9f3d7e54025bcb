"""Where does each context act? Step-aligned feedback, its controls, the reference solution, three ways to quote: micro.

    python -m benchmarks.localization --output_dir runs/localization              # 200 rollouts, a minute or two
    python -m benchmarks.localization --output_dir OUT --num_rollouts 20

Problems of the default world (seed 1: not those of training or testing) are sampled once each at T = 1.1 from the
shipped solver, until `num_rollouts` of them have exactly one wrong step after at least one right one; the steps behind
it are right on what it left. Each is scored under every context; means are over rollouts, one a problem, with 95 %
bootstrap intervals.

`first_wrong_token` is where the wrong step first differs from the right one in the same words. Only in this world is it
known; `stepalign inspect` knows the step alone. The world is constructed: the numbers are no evidence about language
models at large.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from scripts.micro_cases import (
    TEMPERATURE,
    Judged,
    both,
    drops_a_carry,
    has_one_wrong_step,
    sample_judged,
    ways_to_quote,
    wrong_place,
)

from benchmarks import report
from stepalign.core.critique import Context, Critique
from stepalign.core.problem import Problem
from stepalign.core.prompts import render_prompt
from stepalign.core.rollout import Rollout
from stepalign.core.spans import rollout_tokens, token_offsets
from stepalign.feedback.alignment import alignment
from stepalign.feedback.formats import build_context
from stepalign.maths.intervals import bootstrap_interval, paired_bootstrap
from stepalign.maths.localization import localization
from stepalign.micro import SOLVER_DIR, World, exact_critique, make_problems
from stepalign.micro.critic import exact_rewrite
from stepalign.models import load_model
from stepalign.models.prompts import chat_prompts
from stepalign.models.scoring import score_response

WORLD_SEED = 1
BATCH = 250  # problems sampled at a time
SHIPPED = ("whole_attempt", "random_step", "correction", "other", "none")  # formats, beside stepalign and refsol
QUOTES = ("quote_whole", "no_quote", "quote_whole_tags", "no_quote_tags")
CONTEXTS = ("stepalign", "refsol", *SHIPPED, *QUOTES)
DIFFERENCE = "stepalign - refsol"
NATS = ("mean_correct", "mean_wrong", "min_wrong", "first_wrong_token")
MEASURES = {
    "mean_correct": "mean A_t, correct steps",
    "pushed_down_rate": "correct tokens below -0.5",
    "first_wrong_token": "A_t of the first wrong token",
    "reinforced": "share of rollouts where that is positive",
    "below_it": "tokens before it with a higher A_t",
    "mean_wrong": "mean A_t, first wrong step",
    "auroc": "AUROC of that step",
    "min_wrong": "its lowest A_t",
    "negative_mass_share": "share of all suppression in it",
    "onset_share": "of that up to its end",
    "reproduced": "correct text reproduced",
}


def rollouts_with_one_wrong_step(count: int) -> tuple[list[Judged], int]:
    """`count` rollouts of different problems, and how many had to be sampled."""
    problems = make_problems(World(), count=20 * count, seed=WORLD_SEED)
    found: list[Judged] = []
    num_sampled = 0

    def batches() -> Iterator[Judged]:
        nonlocal num_sampled
        for at in range(0, len(problems), BATCH):
            judged = sample_judged(problems[at : at + BATCH], seed=at)
            num_sampled += len(judged)
            yield from filter(has_one_wrong_step, judged)

    found = list(islice(batches(), count))
    if len(found) < count:
        raise SystemExit(f"only {len(found)} of {len(problems)} rollouts have exactly one wrong step.")
    return found, num_sampled


class Exact:
    """The exact critic as feedback formats ask it."""

    can_rewrite = True

    def __call__(self, rollouts: Sequence[Rollout]) -> list[Critique | None]:
        """The critique of each."""
        return [exact_critique(rollout) for rollout in rollouts]

    def rewrite(self, rollouts: Sequence[Rollout], steps: Sequence[int]) -> list[Critique | None]:
        """With a given step written again."""
        return [exact_rewrite(rollout, step) for rollout, step in zip(rollouts, steps, strict=True)]


def shipped(rollout: Rollout, problems: Sequence[Problem]) -> dict[str, str]:
    """The contexts of the formats that ship; `random_step` has none where no other step can be worked again."""
    made = {name: build_context(rollout, name, Exact(), problems=problems) for name in SHIPPED}
    return {name: context.text for name, context in made.items() if context is not None}


def measure(judged: Judged, model: Any, tokenizer: Any, problems: Sequence[Problem]) -> dict[str, dict[str, Any]]:
    """The measures of one rollout under each context."""
    rollout = judged.rollout
    quotes = {name: text for name, text in ways_to_quote(judged).items() if name != "up_to_error"}  # it is stepalign
    contexts = {**both(judged), **shipped(rollout, problems), **quotes}
    prompts = {name: _chat(tokenizer, rollout, Context(text)) for name, text in contexts.items()}
    scores = score_response(model, _chat(tokenizer, rollout, None), prompts, rollout.token_ids)
    steps = rollout_tokens(tokenizer, rollout).steps
    place = wrong_place(judged)
    wrong = next(i for i, (_, end) in enumerate(token_offsets(tokenizer, rollout.token_ids)) if end > place)
    measures: dict[str, dict[str, Any]] = {}
    for name, of_context in scores.items():
        advantage = of_context.advantage.tolist()
        where = localization(advantage, steps, judged.wrong)
        before = advantage[:wrong]
        above = [float(value > advantage[wrong]) + 0.5 * float(value == advantage[wrong]) for value in before]
        aligned = alignment(rollout.trace, contexts[name], judged.wrong)
        measures[name] = {
            **{key: getattr(where, key) for key in MEASURES if hasattr(where, key)},
            "first_wrong_token": advantage[wrong],
            "reinforced": float(advantage[wrong] > 0),
            "below_it": sum(above) / len(above),
            "reproduced": aligned.overall,
            "quotes_wrong_step": aligned.quotes_wrong_step,
        }
    return measures


def _chat(tokenizer: Any, rollout: Any, context: Context | None) -> list[int]:
    role = "teacher" if context else "student"
    text = render_prompt("bare", role, problem=rollout.problem, context=context)
    return chat_prompts(tokenizer, [text])[0].ids


def summarize(rows: Sequence[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """Means with intervals for each context, and StepAlignFB minus RefSol on the same rollouts."""
    summary: dict[str, Any] = {name: {key: _interval(rows, name, key) for key in MEASURES} for name in CONTEXTS}
    for name in CONTEXTS:
        own = [row[name] for row in rows if name in row]
        summary[name]["first_wrong_token"]["median"] = median(part["first_wrong_token"] for part in own)
        summary[name]["quotes_wrong_step_rate"] = sum(part["quotes_wrong_step"] for part in own) / len(own)
    summary[DIFFERENCE] = {key: _difference(rows, key) for key in MEASURES}
    return summary


def _interval(rows: Sequence[dict[str, dict[str, Any]]], name: str, key: str) -> dict[str, Any]:
    values = [row[name][key] for row in rows if name in row and row[name][key] is not None]
    interval = bootstrap_interval(values)
    return {"mean": interval.estimate, "ci95": [interval.low, interval.high], "num_rollouts": len(values)}


def _difference(rows: Sequence[dict[str, dict[str, Any]]], key: str) -> dict[str, Any]:
    pairs = [(row["stepalign"][key], row["refsol"][key]) for row in rows]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    difference = paired_bootstrap([a for a, _ in known], [b for _, b in known])
    return {"mean": difference.estimate, "ci95": [difference.low, difference.high], "num_rollouts": len(known)}


def table(summary: dict[str, Any]) -> str:
    """A row a measure, a column a context."""
    names = (*CONTEXTS, DIFFERENCE)
    rows = ([words, *(_cell(summary[name][key], name, key) for name in names)] for key, words in MEASURES.items())
    return report.table(("mean over rollouts", *names), rows) + "\n"


def _cell(entry: dict[str, Any], name: str, key: str) -> str:
    sign = "+" if name == DIFFERENCE or key in NATS else ""
    mean, low, high = (f"{value:{sign}.2f}" for value in (entry["mean"], *entry["ci95"]))
    return f"{mean} ({low} to {high})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=Path, required=True, help="where localization.json and localization.md go")
    parser.add_argument("--num_rollouts", type=int, default=200)
    args = parser.parse_args()
    judged, num_sampled = rollouts_with_one_wrong_step(args.num_rollouts)
    model, tokenizer = load_model(str(SOLVER_DIR), dtype="float32", device="cpu")
    problems = [one.rollout.problem for one in judged]
    rows = [measure(one, model, tokenizer, problems) for one in judged]
    summary = summarize(rows)
    settings = {
        "world_seed": WORLD_SEED,
        "temperature": TEMPERATURE,
        "num_sampled": num_sampled,
        "num_dropped_carries": sum(map(drops_a_carry, judged)),
    }
    records = [
        {"problem": j.rollout.problem.problem, "response": j.rollout.text, "first_wrong_step": j.wrong} for j in judged
    ]
    rollouts = [record | {"contexts": row} for record, row in zip(records, rows, strict=True)]
    print(f"{len(rows)} rollouts with exactly one wrong step, of {num_sampled} sampled: {settings}\n")
    record = {"settings": settings, "summary": summary, "rollouts": rollouts}
    report.save(args.output_dir, "localization", record, table(summary))


if __name__ == "__main__":
    main()
