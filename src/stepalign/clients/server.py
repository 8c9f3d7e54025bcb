"""The client of any OpenAI-compatible server: POST {base_url}/chat/completions, with explicit retries.

Transient failures (no connection, a reply that does not end or parse, 408, 409, 425, 429, 5xx) are tried again with
doubling waits and jitter; a Retry-After is honoured by all requests, not only by the one that got it. A server that
cannot be used at all (wrong key, wrong model, wrong path) stops the run. The key comes from the environment, goes into
one header, and is removed from whatever the server says back.

    >>> settings = ClientSettings("critic", base_url=base_url, model="m")
    >>> async def write(prompt):
    ...     async with ServerClient(settings) as client:
    ...         return await client.write(settings.request([{"role": "user", "content": prompt}]))
    >>> asyncio.run(write("What is 2 + 2?")).text
    '4'
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from stepalign.clients.client import Failed, Reply, Request, Stop
from stepalign.clients.completions import (
    LONGEST_WAIT_S,
    Transient,
    backoff_s,
    is_transient,
    parse_completion,
    retry_after_s,
    say_error,
)
from stepalign.clients.ledger import Amount, Budget, Ledger
from stepalign.clients.settings import ClientSettings

log = logging.getLogger(__name__)

CONNECT_S = 10.0
CLOSE = {"Connection": "close"}  # a server that fails here may close the line without a word
KEEP_ALIVE_S = 3.0  # less than servers' usual five, so that they do not close a line that is about to be used
BODY_S = 30.0  # a reply that is not streamed is written before it is sent: once it has begun, it ends soon
STOPPING = {300, 301, 302, 303, 307, 308, 401, 402, 403, 404}


class ServerClient:
    """One connection pool, as wide as the settings' concurrency, for one event loop. `sleep` is how it waits."""

    def __init__(self, settings: ClientSettings, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.ledger = Ledger()
        self._settings, self._budget, self._sleep = settings, Budget(settings), sleep
        self.url = settings.base_url.rstrip("/")
        self._key = os.environ.get(settings.api_key_env, "")
        self._most_bytes = 64 * settings.max_tokens + 2**20
        self._resume_at = 0.0  # on the loop's clock; set by Retry-After
        self._has_answered = False

    async def __aenter__(self) -> ServerClient:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self._key}"} if self._key else {})
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._settings.concurrency, keepalive_timeout=KEEP_ALIVE_S),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            headers=headers,
            proxy=_proxy(self.url),
        )
        self._resume_at = 0.0
        return self

    async def __aexit__(self, *details: object) -> None:
        await self._session.close()

    async def check(self) -> None:
        """Wait a few seconds for the server; warn when it lists its models and ours is not among them.

        Raises:
            Stop: nothing listens there.
        """
        url = f"{self.url}/models"
        for wait in (0.5, 1.0, 2.0, None):
            try:
                async with asyncio.timeout(CONNECT_S), self._session.get(url, headers=CLOSE) as response:
                    names = [model["id"] for model in (await response.json())["data"]]
                if names and self._settings.model not in names:
                    self._warn_of_model(names)
                return
            except aiohttp.ClientConnectorError as error:
                if wait is None:
                    raise Stop(
                        "unreachable",
                        f"cannot reach the {self._settings.role} at {self.url}: {error.os_error}. Start the server, or "
                        f"correct {self._settings.name('base_url')}.",
                    ) from None
                await self._sleep(wait)
            except (TimeoutError, aiohttp.ClientError, ValueError, KeyError, TypeError):
                return  # somebody is there; whether the models are well shows with the first request

    def _warn_of_model(self, names: list[object]) -> None:
        settings, shown = self._settings, ", ".join(map(str, names[:5]))
        log.warning("the %s's server lists %s; %s is %s", settings.role, shown, settings.name("model"), settings.model)

    async def write(self, request: Request) -> Reply:
        """The reply to a request, tried again as often as the settings allow.

        Raises:
            Failed: no usable reply, or the server finds the request bad.
            Stop: the server refuses us, or the budget is used up.
        """
        num_retries = 0
        while True:
            try:
                return await self._try(request, is_retry=num_retries > 0)
            except Transient as error:
                if num_retries >= min(self._settings.num_retries, error.most_retries):
                    raise
                await self._wait(error, num_retries)
                num_retries += 1

    async def _wait(self, error: Transient, num_retries: int) -> None:
        if error.retry_after_s is None:
            wait = backoff_s(num_retries)
            log.info("%s: %s; trying again in %.1f s", self._settings.role, error, wait)
            await self._sleep(wait)
        elif error.retry_after_s > LONGEST_WAIT_S:
            raise Failed(error.reason, f"the server asks to wait {error.retry_after_s:.0f} s")
        else:
            log.info("%s: %s; the server asks to wait %.1f s", self._settings.role, error, error.retry_after_s)
            self._resume_at = max(self._resume_at, asyncio.get_running_loop().time() + error.retry_after_s)

    async def _try(self, request: Request, *, is_retry: bool) -> Reply:
        pause = self._resume_at - asyncio.get_running_loop().time()
        if pause > 0:
            await self._sleep(pause)
        most_out = request.body.get("max_tokens") or self._settings.max_tokens
        most = await self._budget.reserve(request.most_tokens_in, most_out)
        spent: Amount | None = None  # unknown until the server says: then the budget counts all that was reserved
        try:
            self.ledger.num_requests += 1
            self.ledger.num_retries += is_retry
            status, headers, body = await self._post(request.body)
            if status != 200:
                spent = Amount(0, 0.0)
                raise self._failure(status, headers, body)
            reply = parse_completion(body, headers.get("Content-Type", ""))
            spent = self._pay(reply)
        except Transient as error:
            if error.is_free:
                spent = Amount(0, 0.0)
            raise
        finally:
            self._budget.settle(most, spent)
        self._has_answered = True
        return reply

    def _pay(self, reply: Reply) -> Amount | None:
        spent = self._budget.amount(reply.tokens_in or 0, reply.tokens_out or 0)
        self.ledger.tokens_in += reply.tokens_in or 0
        self.ledger.tokens_out += reply.tokens_out or 0
        self.ledger.cost += spent.cost
        return None if reply.tokens_in is None or reply.tokens_out is None else spent

    async def _post(self, body: dict[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of one exchange; bounded in bytes and in time."""
        data = bytearray()
        try:
            async with (
                asyncio.timeout(self._settings.timeout_s or None) as limit,
                self._session.post(
                    f"{self.url}/chat/completions", data=json.dumps(body).encode(), allow_redirects=False
                ) as response,
            ):
                async for chunk in response.content.iter_any():
                    begins = not data
                    data += chunk.lstrip() if begins else chunk  # some proxies send white space to keep a line open
                    if begins and data:
                        limit.reschedule(min(limit.when() or float("inf"), asyncio.get_running_loop().time() + BODY_S))
                    if len(data) > self._most_bytes:
                        raise Transient("bad_reply", f"longer than {self._most_bytes} bytes")
                return response.status, response.headers, bytes(data)
        except TimeoutError:
            raise Transient("timeout", f"after {self._settings.timeout_s:g} s", most_retries=1) from None
        except aiohttp.ClientConnectorError as error:
            raise Transient("connection", str(error.os_error), is_free=True) from None
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Transient("connection_lost", f"{type(error).__name__}") from None

    def _failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Exception:
        reason, detail = f"http_{status}", say_error(body)
        if self._key:
            detail = detail.replace(self._key, "***")
        if is_transient(status):
            return Transient(reason, detail, retry_after_s=retry_after_s(headers.get("Retry-After")), is_free=True)
        if (status in STOPPING and not self._has_answered) or status in (401, 402):
            settings, said = self._settings, f"answered {status}: {detail or 'no text'}"
            remedy = {401: f"Set {settings.api_key_env}.", 402: "Check the account."}.get(
                status, f"Check {settings.name('base_url')} (it usually ends in /v1) and {settings.name('model')}."
            )
            return Stop(reason, f"the {settings.role} at {self.url} {said}. {remedy}")
        return Failed(reason, detail)


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for this server; the client itself would look it up for each request."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
