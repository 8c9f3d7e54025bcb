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
from importlib import import_module
from typing import cast

from stepalign.core.critique import Critique
from stepalign.core.errors import ConfigError, StepalignError
from stepalign.core.rollout import Rollout
from stepalign.feedback.critics.critic import CritiqueRecord, OnRecord, Rejected
from stepalign.feedback.critics.ledger import Ledger
from stepalign.feedback.critics.loops import run
from stepalign.feedback.critics.verify import GradeFunction, Verifier, reference_critique

log = logging.getLogger(__name__)
CritiqueFunction = Callable[[Rollout], Critique]


class FunctionCritic:
    """Calls the function once a rollout, one after the other. It is not cached: it may be anything."""

    def __init__(
        self, function: CritiqueFunction, grade: GradeFunction, *, name: str, on_failure: str = "skip"
    ) -> None:
        self.name, self.ledger = name, Ledger()
        self._function, self._verifier, self._on_failure = function, Verifier(grade), on_failure

    def critique(self, rollouts: Sequence[Rollout], on_record: OnRecord | None = None) -> list[CritiqueRecord]:
        """One record a rollout, in order; see `Critic`."""
        start = time.monotonic()
        try:
            return run(self._critique_all(rollouts, on_record or (lambda i, record: None)))
        finally:
            self.ledger.wall_s += time.monotonic() - start

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
            critique = await self._verifier.verify(rollout, replace(critique, source=critique.source or self.name))
            return CritiqueRecord(*key, "verified", critique)
        except Rejected as error:
            reason = error.reason
        except StepalignError:
            raise  # the wrong critic for this data: the user must hear of it
        except Exception as error:
            log.warning("critic %s raised on problem %s, sample %d", self.name, *key, exc_info=True)
            reason = f"raised_{type(error).__name__}"
        critique = reference_critique(rollout) if self._on_failure == "reference" else None
        return CritiqueRecord(*key, "skipped" if critique is None else "unverified", critique, reason)


def load_function(name: str) -> CritiqueFunction:
    """The function that "package.module:function" names.

    Raises:
        ConfigError: there is no such module or function.
    """
    module, _, attribute = name.partition(":")
    try:
        function = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"critic '{name}' cannot be loaded: {error}. Expected package.module:function.") from None
    if not callable(function):
        raise ConfigError(f"critic '{name}' is no function. Expected one from a Rollout to a Critique.")
    return cast(CritiqueFunction, function)
