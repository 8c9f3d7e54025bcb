"""Contexts that are made of a critic's judgement of this very rollout. All of them use the one critique that it gets.

describe       which step is wrong and why, in prose: judgement without alignment
correction     the rewritten steps alone: the change without the solver's own text
whole_attempt  the whole attempt quoted, then the correction: the paper's first way, whose teacher copies the error
stepalign      right steps verbatim, the first wrong one rewritten: the paper's StepAlignFB
random_step    a critique of the same form that rewrites another step: alignment without diagnosis

>>> from stepalign.feedback.formats import build_context
>>> from stepalign.micro import exact_critique
>>> print(build_context(rollout, "correction", lambda rollouts: [exact_critique(r) for r in rollouts]).text)
<step_2>...</step_2>
<answer>170</answer>
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import cast

from stepalign.core.critique import Context, Critique
from stepalign.core.program import render_program
from stepalign.core.rollout import Rollout
from stepalign.core.trace import strip_thinking
from stepalign.feedback.formats import FeedbackFormat, Rewrites, register_feedback


class OfCritique(FeedbackFormat):
    """Base of formats that say something of what the critic found."""

    needs_critic = True

    def text(self, rollout: Rollout, critique: Critique) -> str | None:
        """The context's text, None where there is nothing to say."""
        raise NotImplementedError

    def contexts(self, rollouts: Sequence[Rollout]) -> list[Context | None]:
        """The context of each rollout with its critique, None where there is none."""
        assert self.critic is not None
        critiques = self.critic(rollouts)
        return [self._context(r, critique) for r, critique in zip(rollouts, critiques, strict=True)]

    def _context(self, rollout: Rollout, critique: Critique | None) -> Context | None:
        text = None if critique is None else self.text(rollout, critique)
        return None if text is None else Context(text, critique)


@register_feedback("stepalign")
class StepAlign(OfCritique):
    """A critique of this very rollout: right steps verbatim, the first wrong rewritten (the paper's StepAlignFB)."""

    def text(self, rollout: Rollout, critique: Critique) -> str:
        """The critique."""
        return critique.text


@register_feedback("correction")
class Correction(OfCritique):
    """What the critique changed, without the steps that it copied; none where it changed nothing: isolates the
    correction from the solver's own text around it."""

    def text(self, rollout: Rollout, critique: Critique) -> str | None:
        """The steps that are not copied, under their numbers, and the answer."""
        return correction(critique)


@register_feedback("whole_attempt")
class WholeAttempt(OfCritique):
    """The whole attempt, the wrong step included, then the correction: what quoting the error does (the paper's first
    way to quote)."""

    def text(self, rollout: Rollout, critique: Critique) -> str:
        """The attempt without its thinking, and below it the correction."""
        return "\n".join(filter(None, (strip_thinking(rollout.text).strip(), correction(critique))))


@register_feedback("describe")
class Describe(OfCritique):
    """The critic's judgement in prose, nothing quoted and nothing rewritten: isolates knowing what is wrong from seeing
    it right."""

    needs_judgement = True

    def text(self, rollout: Rollout, critique: Critique) -> str | None:
        """Which step is wrong first and why; None where the critic did not say."""
        if critique.case == "A":
            return "Every step of the attempt is right."
        if not critique.judgement:
            return None
        step = critique.first_wrong_step
        where = {"C": "The attempt is not finished.", "B": f"Something is missing at step {step} of the attempt."}
        found = where.get(critique.case, f"Step {step} of the attempt is the first wrong one.")
        return f"{found} {critique.judgement}" if step or critique.case == "C" else critique.judgement


@register_feedback("random_step")
class RandomStep(FeedbackFormat):
    """A critique of the same form that rewrites a step drawn at random among the others: what is before it is copied,
    the wrong step too where it lies there. Isolates diagnosis from form."""

    needs_critic = True
    needs_rewrites = True

    def contexts(self, rollouts: Sequence[Rollout]) -> list[Context | None]:
        """Of each rollout with another step than the first wrong one; the critique in it is the diagnosis."""
        assert self.critic is not None
        critiques = self.critic(rollouts)
        steps = [self._drawn(r, c) if c is not None else None for r, c in zip(rollouts, critiques, strict=True)]
        asked = [i for i, step in enumerate(steps) if step is not None]
        again = cast("Rewrites", self.critic).rewrite([rollouts[i] for i in asked], [steps[i] or 0 for i in asked])
        made = dict(zip(asked, again, strict=True))
        texts = [found.text if (found := made.get(i)) is not None else None for i in range(len(rollouts))]
        return [Context(t, c) if t is not None else None for t, c in zip(texts, critiques, strict=True)]

    def _drawn(self, rollout: Rollout, critique: Critique) -> int | None:
        others = [step.index for step in rollout.trace.steps if step.index != critique.first_wrong_step]
        rng = random.Random(f"stepalign random step {self.seed} {rollout.problem.id} {rollout.text}")
        return rng.choice(others) if others else None


def correction(critique: Critique) -> str | None:
    """The steps of a critique that are not copied, in tags with their numbers, and its answer; None where all are."""
    new = [(i, step.text) for i, step in enumerate(critique.steps, start=1) if step.origin != "copied"]
    if critique.answer is None:  # a program's lines have no numbers of their own
        return render_program([text for _, text in new]) if new else None
    if not new and critique.case == "A":  # a wrong trace that is only cut short still has its answer corrected
        return None
    lines = [f"<step_{i}>{text}</step_{i}>" for i, text in new]
    return "\n".join([*lines, f"<answer>{critique.answer}</answer>"])
