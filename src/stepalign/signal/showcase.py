"""The figure of a comparison that shows where the signal falls: `signal.json`, A_t of the base model on three rollouts.

Each rollout is scored under the context of every self-distillation condition, side by side. Which rollouts: the first
of each kind among those that training recorded (those of the first steps are the base model's own), in the first
condition that has critiques, first seed:

    correct          case A: every step is right
    wrong_step       case D: some steps are right, then one is wrong
    wrong_approach   case D with no step right, or case C: unfinished, as when it ran out of tokens
    wrong            without a critique of its own: a wrong answer, and nobody knows where it went wrong

A rollout whose text does not give as many tokens as were sampled is passed over. No critic is asked: a format that
needs one gets the critique that is on record.

    >>> write_signal(directory, {("refsol", 0): trained}, lambda: Policy(model, tokenizer, "bare"))
    >>> sorted(read_json(directory / "signal.json"))
    ['conditions', 'rollouts']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stepalign.core.critique import Context, Critique
from stepalign.core.files import read_json, write_json
from stepalign.core.problem import Problem
from stepalign.core.rollout import Outcome, Rollout
from stepalign.core.spans import rollout_tokens
from stepalign.core.tokenizer import Tokenizer
from stepalign.feedback.critiques import STAND_IN, first_wrong_step, judging
from stepalign.feedback.formats import feedback_class, feedback_names
from stepalign.models.prompts import encode
from stepalign.models.scoring import check_scoring
from stepalign.runs.files import ROLLOUTS, SIGNAL, problems_file
from stepalign.runs.row import read_rows
from stepalign.runs.rows import ProblemRow, RolloutRow, SignalRow
from stepalign.signal.policy import Policy

DIGITS = 4  # of A_t in the file


@dataclass(frozen=True)
class Chosen:
    """A rollout of the figure: its kind, the step that recorded it, its critique if there is one, its contexts."""

    kind: str
    step: int | None
    rollout: Rollout
    critique: Critique | None
    contexts: Mapping[str, Context]


def write_signal(
    run_directory: Path, seed_directories: Mapping[tuple[str, int], Path], load_policy: Callable[[], Policy]
) -> None:
    """Write `signal.json` of a comparison, unless it is there for these conditions already.

    Args:
        run_directory: of the comparison; its problems are read.
        seed_directories: of each condition and seed, in the order in which they are looked at.
        load_policy: loads the base model; called only where there is something to score.
    Raises:
        ModelError: the base model cannot be scored.
    """
    conditions = [name for name in dict.fromkeys(name for name, _ in seed_directories) if name in feedback_names()]
    path = run_directory / SIGNAL
    if not conditions or (path.exists() and read_json(path).get("conditions") == conditions):
        return
    problems = {row.id: row.made() for row in read_rows(problems_file(run_directory, "train"), ProblemRow)}
    condition, rows = _recorded({key: directory for key, directory in seed_directories.items() if key[0] in conditions})
    rollouts: list[SignalRow] = []
    if any(kind_of(row) for row in rows):
        policy = load_policy()
        chosen = choose(rows, problems, policy.tokenizer, condition, conditions)
        rollouts = describe(chosen, policy)
    write_json(path, {"conditions": conditions, "rollouts": [rollout.to_json() for rollout in rollouts]})


def _recorded(directories: Mapping[tuple[str, int], Path]) -> tuple[str, list[RolloutRow]]:
    """The condition and rollouts to choose from: the first that has critiques, else the first."""
    recorded = [(condition, read_rows(path / ROLLOUTS, RolloutRow)) for (condition, _), path in directories.items()]
    return next((entry for entry in recorded if any(row.critique for row in entry[1])), recorded[0])


def kind_of(row: RolloutRow) -> str | None:
    """Which kind of rollout a recorded row is, None for what the figure does not show."""
    critique = row.critique
    if critique is None or critique.source == STAND_IN:
        return "correct" if row.grade == Outcome.CORRECT else "wrong"
    if critique.case == "D":
        if critique.first_wrong_step is None:
            return None  # only the answer is wrong
        copied = any(step["origin"] == "copied" for step in critique.steps)
        return "wrong_step" if copied and critique.first_wrong_step > 1 else "wrong_approach"
    return {"A": "correct", "C": "wrong_approach"}.get(critique.case)


def choose(
    rows: Iterable[RolloutRow],
    problems: Mapping[str, Problem],
    tokenizer: Tokenizer,
    condition: str,
    conditions: Sequence[str],
) -> list[Chosen]:
    """The first rollout of each kind that has a context, in the order recorded; `condition` is whose rows they are."""
    chosen: dict[str, Chosen] = {}
    for row in rows:
        kind = kind_of(row)
        if kind is None or kind in chosen or row.problem_id not in problems:
            continue
        rollout = _rollout(row, problems[row.problem_id], tokenizer)
        if rollout is None:
            continue
        critique = row.made()
        contexts = {
            name: _context(name, rollout, critique, row if name == condition else None, [*problems.values()])
            for name in conditions
        }
        there = {name: context for name, context in contexts.items() if context is not None}
        if there:
            chosen[kind] = Chosen(kind, row.step, rollout, judging(critique), there)
    return list(chosen.values())


def describe(chosen: Sequence[Chosen], policy: Policy) -> list[SignalRow]:
    """The rollouts as `signal.json` holds them, scored under all of their contexts that fit."""
    if not chosen:
        return []
    check_scoring(policy.model, chosen[0].rollout.token_ids)
    scores = policy.score([(entry.rollout, entry.contexts) for entry in chosen])
    rows: list[SignalRow] = []
    for entry, scored in zip(chosen, scores, strict=True):
        if not scored:
            continue  # no context fits
        texts, steps = rollout_tokens(policy.tokenizer, entry.rollout)
        advantages = {
            name: [round(a, DIGITS) for a in of_context.to_json()["advantage"]] for name, of_context in scored.items()
        }
        rows.append(
            SignalRow(
                kind=entry.kind,
                problem_id=entry.rollout.problem.id,
                sample=entry.rollout.sample,
                step=entry.step,
                case=entry.critique.case if entry.critique else None,
                first_wrong_step=first_wrong_step(entry.rollout, entry.critique) if entry.critique else None,
                text=entry.rollout.text,
                tokens=list(texts),
                token_steps=list(steps),
                contexts={name: {"advantage": values} for name, values in advantages.items()},
            )
        )
    return rows


def _rollout(row: RolloutRow, problem: Problem, tokenizer: Tokenizer) -> Rollout | None:
    """The recorded rollout with token ids; None where its text gives another number of tokens than were sampled."""
    ids = encode(tokenizer, row.text)
    if row.finish_reason == "stop":
        ids.append(tokenizer.eos_token_id)
    if not ids or len(ids) != row.num_tokens:
        return None
    return replace(row.rollout(problem), token_ids=tuple(ids))


def _context(
    name: str, rollout: Rollout, critique: Critique | None, own: RolloutRow | None, problems: Sequence[Problem]
) -> Context | None:
    """The context of a rollout under one condition: the recorded one of its own, else made from what is on record."""
    if own is not None:
        return None if own.context is None else Context(own.context, critique)
    feedback = feedback_class(name)
    if feedback.needs_rewrites or (feedback.needs_critic and critique is None):
        return None
    made = feedback((lambda rollouts: [critique]) if feedback.needs_critic else None, problems=problems)
    return made.contexts([rollout])[0]
