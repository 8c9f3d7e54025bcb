"""One request, one reply: what a pool needs of whatever writes text, a server or a model in this process.

>>> Request({"model": "m", "messages": [{"role": "user", "content": "What is 2 + 2?"}]}).most_tokens_in
30
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from stepalign.core.text import clean_fields

if TYPE_CHECKING:
    from stepalign.clients.ledger import Ledger

PROMPT_VERSION = "1"  # raise it when the meaning of a reply changes without a change of its prompt


@dataclass(frozen=True)
class Request:
    """One ask: the body of a chat completion and which ask of this rollout it is (from 0)."""

    body: dict[str, Any]
    ask: int = 0

    def key(self, base_url: str) -> str:
        """The cache key: everything that decides the reply."""
        canonical = json.dumps([base_url, PROMPT_VERSION, self.ask, self.body], sort_keys=True, separators=(",", ":"))
        return sha256(canonical.encode()).hexdigest()

    @property
    def most_tokens_in(self) -> int:
        """No tokenizer makes more tokens of the prompt than it has bytes, plus some for the chat template."""
        return sum(len(str(m["content"]).encode("utf-8", "replace")) + 16 for m in self.body["messages"])


@dataclass(frozen=True)
class Reply:
    """What was written. Tokens are None where the client does not say."""

    text: str
    finish_reason: str = "stop"
    tokens_in: int | None = None
    tokens_out: int | None = None

    def __post_init__(self) -> None:
        clean_fields(self, "text")


class Client(Protocol):
    """`url` names it in the cache; `ledger` counts what it sends. Entered as an async context before it is asked."""

    url: str
    ledger: Ledger

    async def __aenter__(self) -> Client: ...

    async def __aexit__(self, *details: object) -> None: ...

    async def check(self) -> None:
        """Raises Stop when there is nobody to ask."""
        ...

    async def write(self, request: Request) -> Reply:
        """Raises Failed when this request got no reply, Stop when no request will."""
        ...


class Failed(Exception):
    """A request without a reply, retries included; `words` are the server's own, or what is wrong."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.words = reason, detail


class Stop(Exception):
    """No further request may be sent. `is_error`: the caller must hear of it."""

    def __init__(self, reason: str, message: str, *, is_error: bool = True) -> None:
        super().__init__(message)
        self.reason = reason
        self.is_error = is_error
