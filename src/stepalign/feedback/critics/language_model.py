"""A critic that is a language model: prompts, replies, verification, and asking again, over one pool.

For each rollout: ask greedily, parse, verify; ask again at a higher temperature while the critique is rejected; then
follow the policy. Each reply goes into the cache when it arrives, so a killed run goes on where it was. Once no
request may be sent any more (budget, deadline, nobody there), what the cache holds is still used.

    >>> critic = LanguageModelCritic(CriticSettings(critic="micro"), grader.grade)
    >>> critic.critique([rollout])[0].status
    'verified'
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stepalign.clients.client import Client, Failed, Reply, Request, Stop
from stepalign.clients.pool import Pool, run
from stepalign.core.rollout import Rollout
from stepalign.feedback.critics.critic import CriticStopped, CritiqueRecord, OnRecord, Rejected, rewrite_record
from stepalign.feedback.critics.prompts import render_messages
from stepalign.feedback.critics.protocols import parse_edit, parse_rewrite, response_format
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.critics.verify import GradeFunction, rejected_record, to_grade, verify

LAST_WORDS = 200  # characters of a reply


class LanguageModelCritic:
    """Safe to call again and again; the ledger runs on."""

    def __init__(self, settings: CriticSettings, grade: GradeFunction, client: Client | None = None) -> None:
        self.name = f"{settings.critic}:{settings.critic_model}"
        self.pool = Pool(settings.client_settings(), client)
        self.ledger = self.pool.ledger
        self.last_words = ""  # of the last ask that gave no critique: the server's, or the critic's own
        self._settings, self._grade = settings, grade
        self._parse, self._keys = parse_rewrite, dict[str, Any]()
        if settings.critique_protocol == "edit":
            self._parse = parse_edit
            wanted = response_format(settings.critic_response_format, settings.critic_judgement)
            self._keys = {"response_format": wanted}
        self.can_rewrite = settings.critic != "micro"  # trained to find the wrong step, and told no other

    def critique(self, rollouts: Sequence[Rollout], on_record: OnRecord | None = None) -> list[CritiqueRecord]:
        """One record a rollout, in order; see `Critic`."""
        start = time.monotonic()
        try:
            return run(self._critique_all(rollouts, on_record or (lambda i, record: None)))
        finally:
            self.ledger.wall_s += time.monotonic() - start

    def rewrite(self, rollouts: Sequence[Rollout], steps: Sequence[int]) -> list[CritiqueRecord]:
        """One record a rollout, in order, of a critique that writes a given step again; see `RewritingCritic`."""
        start = time.monotonic()
        try:
            return run(self._critique_all(rollouts, lambda i, record: None, steps))
        finally:
            self.ledger.wall_s += time.monotonic() - start

    async def _critique_all(
        self, rollouts: Sequence[Rollout], on_record: OnRecord, steps: Sequence[int] = ()
    ) -> list[CritiqueRecord]:
        records: dict[int, CritiqueRecord] = {}
        queue = iter(enumerate(rollouts))

        async def work() -> None:
            for i, rollout in queue:
                if steps:
                    records[i] = await self._rewrite_one(rollout, steps[i])
                    continue
                records[i] = record = await self._critique_one(rollout)
                self.ledger.count(record.status, record.reason)
                on_record(i, record)

        num_workers = min(self.pool.settings.concurrency, len(rollouts))
        async with self.pool:
            watch = asyncio.create_task(self.pool.stop_after(self.pool.settings.deadline_s))
            await asyncio.gather(*(work() for _ in range(num_workers)))
            watch.cancel()
        ordered = [records[i] for i in range(len(rollouts))]
        stop = self.pool.stop
        if stop is not None and stop.is_error:
            num_done = sum(record.status == "verified" for record in ordered)
            raise CriticStopped(f"{stop} ({num_done} of {len(ordered)} critiques are verified.)", ordered)
        return ordered

    async def _critique_one(self, rollout: Rollout) -> CritiqueRecord:
        reason = ""
        reply: Reply | None = None
        for ask in range(1 + self._settings.critic_num_reasks):
            if reason:
                self.ledger.num_reasked[reason] += 1
            try:
                reply = await self.pool.reply(self._request(rollout, ask))
                critique = replace(self._parse(reply, rollout), source=self.name, reply=reply.text)
                critique = await verify(rollout, critique, self._grade)
                return CritiqueRecord(rollout.problem.id, rollout.sample, "verified", critique)
            except Rejected as error:
                reason = error.reason
                self.last_words = f"{reason}: {reply.text[:LAST_WORDS]!r}" if reply is not None else reason
            except (Failed, Stop) as error:
                reason = error.reason
                self.last_words = str(error)
                break
        return rejected_record(rollout, reason, self._settings.critic_on_failure, reply.text if reply else None)

    async def _rewrite_one(self, rollout: Rollout, step: int) -> CritiqueRecord:
        """Asked once: there is nothing to verify that asking again could mend."""
        reply: Reply | None = None
        try:
            reply = await self.pool.reply(self._request(rollout, 0, step))
            parsed = self._parse(reply, rollout)
            critique = replace(parsed, first_wrong_step=step, source=self.name, reply=reply.text)
            copied = [s.text for s in rollout.trace.steps[: step - 1]]
            if [s.text for s in critique.steps[: step - 1]] != copied:
                return rewrite_record(rollout, None, "other_step", reply.text)
            graded = await asyncio.to_thread(self._grade, to_grade(critique), rollout.problem)
            return rewrite_record(rollout, replace(critique, case="D", verified=graded.is_correct), "")
        except (Rejected, Failed, Stop) as error:
            return rewrite_record(rollout, None, error.reason, reply.text if reply else None)

    def _request(self, rollout: Rollout, ask: int, step: int | None = None) -> Request:
        settings = self._settings
        messages = render_messages(
            settings.critique_protocol,
            rollout,
            truth=settings.critic_truth,
            directory=settings.critic_prompts,
            judgement=settings.critic_judgement,
            step=step,
        )
        temperature = settings.critic_reask_temperature if ask else 0.0
        return self.pool.settings.request(messages, ask, temperature=temperature, **self._keys)
