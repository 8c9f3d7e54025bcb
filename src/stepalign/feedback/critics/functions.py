"""Critics that are functions from a rollout to a critique: the micro world's exact critic, and a user's own.

What they return is verified like any other critique. What they raise becomes a counted, skipped rollout.

    >>> from stepalign.micro import exact_critique
    >>> FunctionCritic(exact_critique, grader.grade, name="mine").critique([rollout])[0].status
    'verified'
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

from stepalign.clients.ledger import Ledger
from stepalign.clients.pool import run
from stepalign.core.critique import Critique
from stepalign.core.errors import ConfigError, StepalignError, first_line
from stepalign.core.own import load_own
from stepalign.core.rollout import Rollout
from stepalign.feedback.critics.critic import CritiqueRecord, OnRecord, Rejected, rewrite_record
from stepalign.feedback.critics.settings import OnFailure
from stepalign.feedback.critics.verify import GradeFunction, rejected_record, verify

log = logging.getLogger(__name__)


class FunctionCritic:
    """Calls the function once a rollout, one after the other. It is not cached: it may be anything.

    `rewrite` takes a rollout and a step (from 1) that it is to write again; None: the critic cannot be told one.
    """

    def __init__(
        self,
        function: Callable[[Rollout], Critique],
        grade: GradeFunction,
        *,
        name: str,
        on_failure: OnFailure = "skip",
        rewrite: Callable[[Rollout, int], Critique | None] | None = None,
    ) -> None:
        self.name, self.ledger = name, Ledger()
        self._function, self._grade, self._rewrite = function, grade, rewrite
        self._on_failure: OnFailure = on_failure
        self.can_rewrite = rewrite is not None

    def critique(self, rollouts: Sequence[Rollout], on_record: OnRecord | None = None) -> list[CritiqueRecord]:
        """One record a rollout, in order; see `Critic`."""
        start = time.monotonic()
        try:
            return run(self._critique_all(rollouts, on_record or (lambda i, record: None)))
        finally:
            self.ledger.wall_s += time.monotonic() - start

    def rewrite(self, rollouts: Sequence[Rollout], steps: Sequence[int]) -> list[CritiqueRecord]:
        """One record a rollout, in order, of a critique that writes a given step again; see `RewritingCritic`."""
        assert self._rewrite is not None
        made = [self._rewrite(rollout, step) for rollout, step in zip(rollouts, steps, strict=True)]
        return [rewrite_record(r, critique, "no_step") for r, critique in zip(rollouts, made, strict=True)]

    async def _critique_all(self, rollouts: Sequence[Rollout], on_record: OnRecord) -> list[CritiqueRecord]:
        records: list[CritiqueRecord] = []
        for i, rollout in enumerate(rollouts):
            record = await self._critique_one(rollout)
            self.ledger.count(record.status, record.reason)
            records.append(record)
            on_record(i, record)
        return records

    async def _critique_one(self, rollout: Rollout) -> CritiqueRecord:
        key = rollout.problem.id, rollout.sample
        try:
            critique = self._function(rollout)
            critique = await verify(rollout, replace(critique, source=critique.source or self.name), self._grade)
            return CritiqueRecord(*key, "verified", critique)
        except Rejected as error:
            reason = error.reason
        except StepalignError:
            raise  # the wrong critic for this data: the user must hear of it
        except Exception as error:
            log.warning("critic %s raised on problem %s, sample %d", self.name, *key, exc_info=True)
            reason = f"raised_{type(error).__name__}"
            self.ledger.hear(reason, first_line(error))
        return rejected_record(rollout, reason, self._on_failure)


def load_function(name: str) -> Callable[[Rollout], Critique]:
    """The function that "file.py:function" or "package.module:function" names.

    Raises:
        ConfigError: there is no such file, module or function.
    """
    function = load_own(name, "critic")
    if not callable(function):
        raise ConfigError(f"critic '{name}' is no function. Expected one from a Rollout to a Critique.")
    return cast("Callable[[Rollout], Critique]", function)
