"""A critic that is a language model: prompts, replies, cache, verification, and asking again, over one bounded pool.

For each rollout: ask greedily, parse, verify; ask again at a higher temperature while the critique is rejected; then
follow the policy. Each reply goes into the cache when it arrives, so a killed run goes on where it was. Once no
request may be sent any more (budget, deadline, nobody there), what the cache holds is still used (see `asking`).

    critic = LanguageModelCritic(settings, grader.grade, writer=writer, cache=cache, ledger=ledger)
    records = critic.critique(rollouts)
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stepalign.core.errors import ConfigError
from stepalign.core.rollout import Rollout
from stepalign.feedback.critics.asking import Asking
from stepalign.feedback.critics.cache import ReplyCache
from stepalign.feedback.critics.critic import CriticStopped, CritiqueRecord, OnRecord, Rejected
from stepalign.feedback.critics.edit import parse_edit, response_format
from stepalign.feedback.critics.ledger import Ledger
from stepalign.feedback.critics.loops import run
from stepalign.feedback.critics.prompts import render_messages
from stepalign.feedback.critics.rewrite import parse_rewrite
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.critics.verify import GradeFunction, Verifier, reference_critique
from stepalign.feedback.critics.writer import Failed, Request, Stop, Writer


class LanguageModelCritic:
    """Safe to call again and again; the ledger runs on."""

    def __init__(
        self, settings: CriticSettings, grade: GradeFunction, *, writer: Writer, cache: ReplyCache, ledger: Ledger
    ) -> None:
        self.name = f"{settings.critic}:{settings.critic_model}"
        self.ledger = ledger
        self._settings, self._writer, self._cache, self._verifier = settings, writer, cache, Verifier(grade)
        self._parse = parse_edit if settings.critique_protocol == "edit" else parse_rewrite
        self._fixed_body = _fixed_body(settings)

    def critique(self, rollouts: Sequence[Rollout], on_record: OnRecord | None = None) -> list[CritiqueRecord]:
        """One record a rollout, in order; see `Critic`."""
        start = time.monotonic()
        try:
            return run(self._critique_all(rollouts, on_record or (lambda i, record: None)))
        finally:
            self.ledger.wall_s += time.monotonic() - start

    async def _critique_all(self, rollouts: Sequence[Rollout], on_record: OnRecord) -> list[CritiqueRecord]:
        asking = self._asking = Asking(
            self._writer,
            self._cache,
            self.ledger,
            model=self._settings.critic_model,
            concurrency=self._settings.critic_concurrency,
            stop=Stop("offline", "", is_error=False) if self._settings.critic_offline else None,
        )
        records: dict[int, CritiqueRecord] = {}
        queue = iter(enumerate(rollouts))

        async def work() -> None:
            for i, rollout in queue:
                records[i] = record = await self._critique_one(rollout)
                self.ledger.count(record.status, record.reason)
                on_record(i, record)

        async with self._writer:
            watch = asyncio.create_task(asking.stop_after(self._settings.critic_deadline_s))
            await asyncio.gather(*(work() for _ in range(min(self._settings.critic_concurrency, len(rollouts)))))
            watch.cancel()
        ordered = [records[i] for i in range(len(rollouts))]
        if asking.stop is not None and asking.stop.is_error:
            num_done = sum(record.status == "verified" for record in ordered)
            raise CriticStopped(f"{asking.stop} ({num_done} of {len(ordered)} critiques are verified.)", ordered)
        return ordered

    async def _critique_one(self, rollout: Rollout) -> CritiqueRecord:
        reason = ""
        for ask in range(1 + self._settings.critic_num_reasks):
            if reason:
                self.ledger.num_reasked[reason] += 1
            try:
                reply = await self._asking.reply(self._request(rollout, ask))
                critique = replace(self._parse(reply, rollout), source=self.name)
                critique = await self._verifier.verify(rollout, critique)
                return CritiqueRecord(rollout.problem.id, rollout.sample, "verified", critique)
            except Rejected as error:
                reason = error.reason
            except (Failed, Stop) as error:
                reason = error.reason
                break
        critique = reference_critique(rollout) if self._settings.critic_on_failure == "reference" else None
        status = "skipped" if critique is None else "unverified"
        return CritiqueRecord(rollout.problem.id, rollout.sample, status, critique, reason)

    def _request(self, rollout: Rollout, ask: int) -> Request:
        settings = self._settings
        messages = render_messages(
            settings.critique_protocol, rollout, truth=settings.critic_truth, directory=settings.critic_prompts
        )
        body = {
            "messages": messages,
            "temperature": settings.critic_reask_temperature if ask else 0.0,
            **self._fixed_body,
        }
        return Request({name: value for name, value in body.items() if value is not None}, ask)


def _fixed_body(settings: CriticSettings) -> dict[str, Any]:
    """What every request of a run has in common; the user's extra keys win, and a null takes a key away."""
    body: dict[str, Any] = {"model": settings.critic_model, "max_tokens": settings.critic_max_tokens}
    if settings.critique_protocol == "edit":
        body["response_format"] = response_format(settings.critic_response_format)
    return body | extra_keys(settings)


def extra_keys(settings: CriticSettings) -> dict[str, Any]:
    """What `critic_extra_body` adds to each request.

    Raises:
        ConfigError: it is no JSON object.
    """
    try:
        extra = json.loads(settings.critic_extra_body or "{}")
        if not isinstance(extra, dict):
            raise ValueError("no object")
    except ValueError as error:
        raise ConfigError(
            f"critic_extra_body must be a JSON object; got '{settings.critic_extra_body}' ({error})."
        ) from None
    return extra
