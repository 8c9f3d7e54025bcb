"""The exact critic of either micro world: of arithmetic, and of code where a problem asks for a program."""

from __future__ import annotations

from stepalign.core.critique import Critique
from stepalign.core.rollout import Rollout
from stepalign.micro.code.critic import exact_program_critique, exact_program_rewrite
from stepalign.micro.critic import exact_critique, exact_rewrite


def critique(rollout: Rollout) -> Critique:
    """The critique of one rollout.

    Raises:
        DataError: the problem is of neither world.
    """
    return (exact_critique if rollout.problem.tests is None else exact_program_critique)(rollout)


def rewrite(rollout: Rollout, step: int) -> Critique | None:
    """A critique that writes a given step (from 1) again; None where nothing can be written there.

    Raises:
        DataError: the problem is of neither world.
    """
    return (exact_rewrite if rollout.problem.tests is None else exact_program_rewrite)(rollout, step)
