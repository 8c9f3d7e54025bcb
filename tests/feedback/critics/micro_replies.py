"""The exact critic of the micro world behind the protocols: what it would reply, and rollouts to try it on."""

from __future__ import annotations

from stepalign.core.rollout import Rollout
from stepalign.feedback.critics.protocols import render_edit
from stepalign.micro import World, exact_critique, make_problems
from stepalign.micro.rollouts import made_rollouts


def micro_rollouts(count: int, seed: int = 0) -> list[Rollout]:
    """Traces as the micro solver writes them: right, wrong from some step on, with gaps, and cut off."""
    return made_rollouts(make_problems(World(), count, seed), seed)


def edit_reply(rollout: Rollout) -> str:
    """The exact critique in the words of the edit protocol."""
    return render_edit(rollout, exact_critique(rollout))


def rewrite_reply(rollout: Rollout) -> str:
    """The exact critique in the words of the rewrite protocol."""
    return exact_critique(rollout).text


def by_prompt(rollouts: list[Rollout], body: dict) -> Rollout:
    """The rollout that a prompt asks about."""
    prompt = body["messages"][-1]["content"]
    return next(r for r in rollouts if f"<problem>\n{r.problem.problem}\n</problem>" in prompt)
