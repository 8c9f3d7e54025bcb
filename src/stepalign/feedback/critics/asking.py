"""Requests in, replies out, over one writer: cached, bounded, equal requests once, and a stop that all callers hear of.

Each reply goes into the cache when it arrives, so that a killed run pays for nothing twice. After `MOST_FAILURES`
requests in a row without a reply, or once the writer says so, no request is sent any more; what the cache holds is
still given out.

    asking = Asking(writer, cache, ledger, model="Qwen/QwQ-32B", concurrency=16)
    async with writer:
        reply = await asking.reply(request)
"""

from __future__ import annotations

import asyncio

from stepalign.core.errors import CriticError
from stepalign.feedback.critics.cache import ReplyCache
from stepalign.feedback.critics.ledger import Ledger
from stepalign.feedback.critics.writer import Failed, Reply, Request, Stop, Writer

MOST_FAILURES = 10  # requests in a row that get no reply at all before no other is sent


class Asking:
    """For one event loop. `stop` is why no request is sent any more, None while they are."""

    def __init__(
        self,
        writer: Writer,
        cache: ReplyCache,
        ledger: Ledger,
        *,
        model: str,
        concurrency: int,
        role: str = "critic",
        stop: Stop | None = None,
    ) -> None:
        self.stop = stop
        self._writer, self._cache, self._ledger = writer, cache, ledger
        self._model, self._role = model, role
        self._slots = asyncio.Semaphore(concurrency)
        self._num_failures = 0
        self._in_flight: dict[str, asyncio.Task[Reply]] = {}
        self._checked: asyncio.Task[None] | None = None

    async def reply(self, request: Request) -> Reply:
        """From the cache, from an equal request under way, or written now.

        Raises:
            Failed: this request got no reply, retries included.
            Stop: no request is sent any more.
        """
        key = request.key(self._writer.url)
        task = self._in_flight.get(key)
        is_shared = task is not None
        if task is None:
            reply = self._lookup(key)
            if reply is not None:
                self._ledger.num_cached += 1
                return reply
            if self.stop is not None:
                raise self.stop
            task = self._in_flight[key] = asyncio.create_task(self._write(key, request))
            task.add_done_callback(lambda done: self._forget(key, done))
        try:
            reply = await asyncio.shield(task)
        except asyncio.CancelledError:
            if self.stop is None or not task.cancelled():
                raise
            raise self.stop from None  # the deadline cancelled the request, not its caller
        self._ledger.num_cached += is_shared
        return reply

    async def stop_after(self, seconds: float) -> None:
        """Wait, then stop and end what is under way; 0 is never."""
        if seconds:
            await asyncio.sleep(seconds)
            self.stop = self.stop or Stop("deadline", "", is_error=False)
            self.cancel()

    def cancel(self) -> None:
        """End all requests under way."""
        for task in list(self._in_flight.values()):
            task.cancel()

    def _forget(self, key: str, task: asyncio.Task[Reply]) -> None:
        del self._in_flight[key]
        if not task.cancelled():
            task.exception()  # heard of, even where every caller has left

    def _lookup(self, key: str) -> Reply | None:
        try:
            return self._cache.get(key)
        except CriticError as error:
            self.stop = self.stop or Stop("cache", str(error))
            return None

    async def _write(self, key: str, request: Request) -> Reply:
        async with self._slots:
            if self.stop is not None:
                raise self.stop
            reply = await self._ask(request)
        try:
            return self._cache.put(key, reply, url=self._writer.url, model=self._model)
        except CriticError as error:  # this reply is paid for and can be used; another could not be kept
            self.stop = self.stop or Stop("cache", str(error))
            return reply

    async def _ask(self, request: Request) -> Reply:
        try:
            if self._checked is None:
                self._checked = asyncio.create_task(self._writer.check())
            await asyncio.shield(self._checked)
            reply = await self._writer.write(request)
        except Stop as stop:
            self.stop = self.stop or stop
            raise
        except Failed as error:
            self._num_failures += 1
            if self._num_failures >= MOST_FAILURES:
                message = (
                    f"the {self._role} at {self._writer.url} failed {MOST_FAILURES} times in a row, last with {error}."
                )
                self.stop = self.stop or Stop("stopped", message)
            raise
        self._num_failures = 0
        return reply
