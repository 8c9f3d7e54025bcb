"""What do the two critique protocols cost in output tokens? The same exact critic in the words of `edit` and `rewrite`.

    python -m benchmarks.protocols --output_dir runs/protocols                     # 1,000 rollouts, some seconds
    python -m benchmarks.protocols --output_dir OUT --num_rollouts 100 --tokenizer Qwen/Qwen3-0.6B

Rollouts of the micro world are made from a seed, on problems of two to six steps. A server on loopback replies to each
prompt with the exact critic's critique in the protocol's words, and the `openai` critic asks it, parses the replies and
verifies them. Tokens are those of the replies, in any tokenizer; the micro solver's, the default, knows no JSON and
spells it letter by letter.

The overhead of an edit is what its reply has beside the texts of its new steps; `BOUND` is what it may be. Verbatim is
the share of the steps left alone by the exact critic that came through character for character. The world is
constructed: what `edit` saves depends on how much of a trace is right, and here that was chosen.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.fault_server import Answer, FaultServer
from transformers import AutoTokenizer

from benchmarks import report
from stepalign.core.rollout import Rollout
from stepalign.feedback.critics.build import build_critic
from stepalign.feedback.critics.critic import CritiqueRecord
from stepalign.feedback.critics.protocols import render_edit
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.grading import Grader
from stepalign.micro import SOLVER_DIR, World, exact_critique, make_problems
from stepalign.micro.rollouts import made_rollouts

WORLD = World(min_steps=2, max_steps=6, min_carries=3, max_carries=8)
SEED = 1  # of problems and rollouts
BOUND = (1.1, 30)  # an edit has at most this many times the tokens of its new steps, plus so many
WORDS: dict[str, Callable[[Rollout], str]] = {
    "edit": lambda rollout: render_edit(rollout, exact_critique(rollout)),
    "rewrite": lambda rollout: exact_critique(rollout).text,
}
COLUMNS = (
    *("", "rollouts", "steps kept", *WORDS, "edit / rewrite", "new steps"),
    *("overhead", f"above {BOUND[0]} x, most", "verified", "verbatim", "same case"),
)


def measure(rollouts: Sequence[Rollout], count: Callable[[str], int]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A row a rollout, and each protocol's ledger. `count` is the tokens of a text."""
    asked = {protocol: critique(rollouts, protocol, count) for protocol in WORDS}
    rows = [
        _row(rollout, {protocol: records[i] for protocol, (records, _) in asked.items()}, count)
        for i, rollout in enumerate(rollouts)
    ]
    return rows, {protocol: ledger for protocol, (_, ledger) in asked.items()}


def _row(rollout: Rollout, records: Mapping[str, CritiqueRecord], count: Callable[[str], int]) -> dict[str, Any]:
    exact = exact_critique(rollout)
    edit = json.loads(WORDS["edit"](rollout))
    kept = edit["keep_steps"]
    left_alone = [(k, step.text) for k, step in enumerate(exact.steps) if step.origin == "copied"]
    row: dict[str, Any] = {
        "case": exact.case,
        "first_wrong_step": exact.first_wrong_step,
        "num_steps": len(exact.steps),
        "num_kept": kept,
        "num_left_alone": len(left_alone),
        "new_step_tokens": sum(map(count, edit["new_steps"])),
        "dropped_step_tokens": sum(count(step.text) for step in rollout.trace.steps[kept:]),
    }
    for protocol, record in records.items():
        critiqued = record.critique if record.status == "verified" else None
        texts = dict(enumerate(step.text for step in critiqued.steps)) if critiqued else {}
        row[protocol] = {
            "tokens": count(WORDS[protocol](rollout)),
            "is_verified": critiqued is not None,
            "num_verbatim": sum(texts.get(k) == text for k, text in left_alone),
            "is_same_case": critiqued is not None and critiqued.case == exact.case,
        }
    return row


def critique(
    rollouts: Sequence[Rollout], protocol: Any, count: Callable[[str], int]
) -> tuple[list[CritiqueRecord], dict[str, Any]]:
    """What the `openai` critic makes of the exact critic's words, each asked for once, and its ledger."""
    replies = {rollout.problem.problem: WORDS[protocol](rollout) for rollout in rollouts}
    with scripted_server(replies, count) as server, Grader() as grader, tempfile.TemporaryDirectory() as directory:
        settings = CriticSettings(
            critic_base_url=server.url,
            critic_model="exact",
            critique_protocol=protocol,
            critic_num_reasks=0,
            critic_cache=str(Path(directory) / "critic.sqlite"),
        )
        critic = build_critic(settings, grader.grade)
        return critic.critique(rollouts), critic.ledger.to_json()


def scripted_server(replies: Mapping[str, str], count: Callable[[str], int]) -> FaultServer:
    """Replies by the problem that a prompt asks about."""

    def answer(number: int, body: dict[str, Any]) -> Answer:
        prompt = body["messages"][-1]["content"]
        reply = replies[prompt.split("<problem>\n", 1)[1].split("\n</problem>", 1)[0]]
        return Answer(reply, usage={"prompt_tokens": count(prompt), "completion_tokens": count(reply)})

    return FaultServer(answer)


def summarize(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Means over all rollouts, over each case, and in case D over each place of the first wrong step."""
    groups = {"all": list(rows)}
    for case in sorted({row["case"] for row in rows}):
        groups[f"case {case}"] = [row for row in rows if row["case"] == case]
    wrong = groups.get("case D", [])
    for place in sorted({row["first_wrong_step"] for row in wrong if row["first_wrong_step"]}):
        groups[f"case D, step {place}"] = [row for row in wrong if row["first_wrong_step"] == place]
    return {name: _means(group) for name, group in groups.items()}


def _means(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    def mean(key: str) -> float:
        return sum(row[key] for row in rows) / len(rows)

    def rates(key: str) -> dict[str, float]:
        return {protocol: sum(row[protocol][key] for row in rows) / len(rows) for protocol in WORDS}

    tokens = rates("tokens")
    overhead = [row["edit"]["tokens"] - row["new_step_tokens"] for row in rows]
    above = [row["edit"]["tokens"] - BOUND[0] * row["new_step_tokens"] for row in rows]
    return {
        "num_rollouts": len(rows),
        "kept_rate": mean("num_kept") / mean("num_steps"),
        "tokens": tokens,
        "ratio": tokens["edit"] / tokens["rewrite"],
        "new_step_tokens": mean("new_step_tokens"),
        "dropped_step_tokens": mean("dropped_step_tokens"),
        "overhead_tokens": {"mean": sum(overhead) / len(rows), "min": min(overhead), "max": max(overhead)},
        "most_above": max(above),
        "num_over_bound": sum(value > BOUND[1] for value in above),
        "verified_rate": rates("is_verified"),
        "verbatim_rate": {protocol: _verbatim_rate(rows, protocol) for protocol in WORDS},
        "same_case_rate": rates("is_same_case"),
    }


def _verbatim_rate(rows: Sequence[dict[str, Any]], protocol: str) -> float | None:
    num_left_alone = sum(row["num_left_alone"] for row in rows)
    return sum(row[protocol]["num_verbatim"] for row in rows) / num_left_alone if num_left_alone else None


def table(summary: Mapping[str, Mapping[str, Any]]) -> str:
    """A row a group; tokens are means a reply."""
    rows: list[list[object]] = []
    for name, group in summary.items():
        overhead = "{mean:.1f} ({min} to {max})".format(**group["overhead_tokens"])
        cells: list[object] = [name, group["num_rollouts"], f"{group['kept_rate']:.2f}"]
        cells += [f"{group['tokens'][protocol]:.0f}" for protocol in WORDS]
        cells += [f"{group['ratio']:.2f}", f"{group['new_step_tokens']:.0f}", overhead, f"{group['most_above']:.1f}"]
        for key in ("verified_rate", "verbatim_rate", "same_case_rate"):
            cells.append(" / ".join(_rate(group[key][protocol]) for protocol in WORDS))
        rows.append(cells)
    return report.table(COLUMNS, rows) + "\n"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=Path, required=True, help="where protocols.json and protocols.md go")
    parser.add_argument("--num_rollouts", type=int, default=1000)
    parser.add_argument("--tokenizer", default=str(SOLVER_DIR), help="directory or hub name; default: the micro solver")
    args = parser.parse_args()
    try:
        tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
    except (OSError, ValueError) as error:
        parser.error(f"--tokenizer: '{args.tokenizer}' cannot be loaded: {error}")
    rollouts = made_rollouts(make_problems(WORLD, args.num_rollouts, SEED), SEED)
    rows, ledgers = measure(rollouts, lambda text: len(tokenizer.tokenize(text)))
    summary = summarize(rows)
    settings = {"tokenizer": args.tokenizer, "seed": SEED, "world": vars(WORLD), "bound": BOUND}
    print(f"tokens of {args.tokenizer}; edit / rewrite where two are given\n")
    record = {"settings": settings, "summary": summary, "ledgers": ledgers, "rollouts": rows}
    report.save(args.output_dir, "protocols", record, table(summary))


if __name__ == "__main__":
    main()
