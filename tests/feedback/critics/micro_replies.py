"""The exact critic of the micro world behind the protocols: what it would reply, and rollouts to try it on."""

from __future__ import annotations

import json
import random

from stepalign.core.critique import Critique
from stepalign.core.rollout import Rollout
from stepalign.micro import World, exact_critique, make_problems
from stepalign.micro.corpus import enumeration, solver_trace
from stepalign.micro.problems import parse_problem
from stepalign.micro.wording import Style


def micro_rollouts(count: int, seed: int = 0) -> list[Rollout]:
    """Traces as the micro solver writes them: right, wrong from some step on, with gaps, and cut off."""
    rng = random.Random(seed)
    rollouts: list[Rollout] = []
    for i, problem in enumerate(make_problems(World(), count, seed)):
        chain = parse_problem(problem.problem)
        if i % 20 == 19:
            rollouts.append(Rollout(problem, 0, enumeration(rng), finish_reason="length"))
            continue
        text = solver_trace(chain, rng, Style(rng), 0.1, 0.1, 0.05)
        if i % 20 == 18:
            text, reason = text[: len(text) // 2], "length"
            rollouts.append(Rollout(problem, 0, text, finish_reason=reason))
        else:
            rollouts.append(Rollout(problem, 0, text))
    return rollouts


def edit_reply(rollout: Rollout, critique: Critique | None = None) -> str:
    """The exact critique in the words of the edit protocol."""
    critique = critique or exact_critique(rollout)
    keep = 0
    for step, text in zip(critique.steps, [s.text for s in rollout.trace.steps], strict=False):
        if step.origin != "copied" or step.text != text:
            break
        keep += 1
    value = {
        "case": critique.case,
        "keep_steps": keep,
        "new_steps": [step.text for step in critique.steps[keep:]],
        "answer": critique.answer,
    }
    return json.dumps(value, separators=(",", ":"))


def rewrite_reply(rollout: Rollout) -> str:
    """The exact critique in the words of the rewrite protocol."""
    return exact_critique(rollout).text


def by_prompt(rollouts: list[Rollout], body: dict) -> Rollout:
    """The rollout that a prompt asks about."""
    prompt = body["messages"][-1]["content"]
    return next(r for r in rollouts if f"<problem>\n{r.problem.problem}\n</problem>" in prompt)
