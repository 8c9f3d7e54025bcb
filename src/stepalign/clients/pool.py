"""Requests in, replies out, over one client: cached, bounded, equal requests once, and a stop that all callers hear of.

Each reply goes into the cache when it arrives, so that a killed run pays for nothing twice. After `MOST_FAILURES`
requests in a row without a reply, or once the client says so, no request is sent any more; what the cache holds is
still given out.

    >>> pool = Pool(ClientSettings("critic", base_url=base_url, model="m"))
    >>> async def ask(number):
    ...     async with pool:
    ...         replies = await asyncio.gather(*(pool.ask("What is 2 + 2?") for _ in range(number)))
    ...     return {reply.text for reply in replies}
    >>> asyncio.run(ask(3)), pool.ledger.num_requests, pool.ledger.num_cached
    ({'4'}, 1, 2)
    >>> pool.close()
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from stepalign.clients.cache import ReplyCache
from stepalign.clients.client import Client, Failed, Reply, Request, Stop
from stepalign.clients.settings import ClientSettings
from stepalign.core.errors import ConfigError, CriticError

log = logging.getLogger(__name__)

MOST_FAILURES = 10  # requests in a row that get no reply at all before no other is sent
T = TypeVar("T")


def make_client(settings: ClientSettings) -> Client:
    """The client that the settings ask for.

    Raises:
        ConfigError: the package that it needs is not installed.
    """
    if settings.kind == "local":
        from stepalign.clients.local import LocalClient

        return LocalClient(settings)
    try:
        from stepalign.clients.server import ServerClient
    except ImportError:
        raise ConfigError(
            f"{settings.role} 'openai' needs the package aiohttp; it is not installed. "
            "Run: pip install 'stepalign[critic]'"
        ) from None
    return ServerClient(settings)


class Pool:
    """Entered as an async context, again for each event loop; the ledger and the cache go on until `close`.

    `stop` is why no request is sent any more, None while they are.

    Raises:
        ConfigError: the client's package is not installed.
        CriticError: the cache cannot be opened.
    """

    def __init__(self, settings: ClientSettings, client: Client | None = None) -> None:
        self.settings, self.client = settings, client or make_client(settings)
        self.ledger = self.client.ledger
        self.cache = ReplyCache(settings.cache_path)

    async def __aenter__(self) -> Pool:
        message = f"{self.settings.name('offline')} is set, and the cache lacks a reply of the {self.settings.role}."
        self.stop = Stop("offline", message, is_error=False) if self.settings.offline else None
        self._slots = asyncio.Semaphore(self.settings.concurrency)
        self._num_failures = 0
        self._in_flight: dict[str, asyncio.Task[Reply]] = {}
        self._checked: asyncio.Task[None] | None = None
        await self.client.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
        self.cancel()
        await self.client.__aexit__(*details)

    def close(self) -> None:
        """Let go of the cache."""
        self.cache.close()

    async def ask(self, prompt: str, *, number: int = 0, **sampling: object) -> Reply:
        """One reply to a prompt; `number` tells apart asks that are otherwise the same.

        Raises:
            Failed: no reply to this one, retries included.
            CriticError, ModelError: the critic or the solver cannot be asked at all any more.
        """
        try:
            return await self.reply(self.settings.request([{"role": "user", "content": prompt}], number, **sampling))
        except Stop as stop:
            raise self.settings.error(f"{stop} What is decided stays; run the same command to go on.") from None

    async def reply(self, request: Request) -> Reply:
        """From the cache, from an equal request under way, or written now.

        Raises:
            Failed: this request got no reply, retries included.
            Stop: no request is sent any more.
        """
        key = request.key(self.client.url)
        task = self._in_flight.get(key)
        is_shared = task is not None
        if task is None:
            reply = self._lookup(key)
            if reply is not None:
                self.ledger.num_cached += 1
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
        self.ledger.num_cached += is_shared
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
            return self.cache.get(key)
        except CriticError as error:
            self.stop = self.stop or Stop("cache", str(error))
            return None

    async def _write(self, key: str, request: Request) -> Reply:
        async with self._slots:
            if self.stop is not None:
                raise self.stop
            reply = await self._ask(request)
        try:
            return self.cache.put(key, reply, url=self.client.url, model=self.settings.model)
        except CriticError as error:  # this reply is paid for and can be used; another could not be kept
            self.stop = self.stop or Stop("cache", str(error))
            return reply

    async def _ask(self, request: Request) -> Reply:
        try:
            if self._checked is None:
                self._checked = asyncio.create_task(self.client.check())
            await asyncio.shield(self._checked)
            reply = await self.client.write(request)
        except Stop as stop:
            self.stop = self.stop or stop
            self.ledger.hear(stop.reason, str(stop))
            raise
        except Failed as error:
            whom = f"the {self.settings.role} at {self.client.url}"
            if self.ledger.hear(error.reason, error.words) and error.words:
                log.warning("%s gave no reply (%s)", whom, error)
            self._num_failures += 1
            if self._num_failures >= MOST_FAILURES:
                message = f"{whom} failed {MOST_FAILURES} times in a row, last with {error}."
                self.stop = self.stop or Stop("stopped", message)
            raise
        self._num_failures = 0
        return reply


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result or exception of a coroutine, from ordinary code; in a thread of its own where this one has a loop.

    So critics also work in a notebook, whose loop is always running.
    """
    if not _is_in_loop():
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
