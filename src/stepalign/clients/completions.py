"""What a server sends back, trusting nothing: a reply, or when another try is worth it and how long to wait before it.

>>> parse_completion(b'{"choices": [{"message": {"content": "4"}}]}', "application/json").text
'4'
>>> is_transient(503), retry_after_s("120")
(True, 120.0)
"""

from __future__ import annotations

import json
import random
import re
import time
from email.utils import parsedate_to_datetime
from typing import Any, cast

from stepalign.clients.client import Failed, Reply
from stepalign.core.text import clean_text, parse_json

FIRST_WAIT_S = 0.5
LONGEST_BACKOFF_S = 30.0
LONGEST_WAIT_S = 600.0  # a server that asks for more patience than this fails the request instead


class Transient(Failed):
    """A failure that may do better next time. `is_free`: it certainly was not billed."""

    def __init__(
        self,
        reason: str,
        detail: str = "",
        *,
        retry_after_s: float | None = None,
        most_retries: int = 1000,
        is_free: bool = False,
    ) -> None:
        super().__init__(reason, detail)
        self.retry_after_s, self.most_retries, self.is_free = retry_after_s, most_retries, is_free


def parse_completion(body: bytes, content_type: str) -> Reply:
    """The first choice of a chat completion.

    Raises:
        Transient: not decodable, not JSON, or not of that shape.
    """
    charset = re.search(r"charset=\"?([\w.-]+)", content_type, re.IGNORECASE)
    try:
        data: Any = parse_json(body.decode(charset.group(1)) if charset else body)
        choice = data["choices"][0]
        content = choice["message"].get("content")
        if isinstance(content, list):
            content = "".join(part.get("text") or "" for part in cast("list[dict[str, str]]", content))
        if not isinstance(content, str | None):
            raise TypeError("content is no text")
    except RecursionError:
        raise Transient("bad_reply", "nested too deeply") from None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Transient("bad_reply", say_error(body)) from None
    usage = data.get("usage")
    counts = [_get(usage, name, None) for name in ("prompt_tokens", "completion_tokens")]
    tokens_in, tokens_out = (n if type(n) is int and n >= 0 else None for n in counts)
    return Reply(content or "", str(choice.get("finish_reason") or "stop"), tokens_in, tokens_out)


def say_error(body: bytes) -> str:
    """The server's own words on what is wrong, short enough for a message."""
    text = body[:4000].decode("utf-8", "replace")
    try:
        error: object = parse_json(body)
        for name in ("error", "message", "detail"):
            error = _get(error, name, error)
        text = error if isinstance(error, str) else json.dumps(error)
    except (ValueError, RecursionError):
        pass
    return clean_text(" ".join(text.split()))[:300]


def _get(value: object, name: str, otherwise: object) -> object:
    return cast("dict[str, object]", value).get(name, otherwise) if isinstance(value, dict) else otherwise


def is_transient(status: int) -> bool:
    """Whether the same request may do better a little later."""
    return status in (408, 409, 425, 429) or status >= 500


def backoff_s(num_retries: int) -> float:
    """Seconds before the next try: doubling from half a second, less up to a quarter, so that callers spread out."""
    return min(FIRST_WAIT_S * 2**num_retries, LONGEST_BACKOFF_S) * random.uniform(0.75, 1.0)


def retry_after_s(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, given as a number or a date; None if absent or unreadable."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if seconds < float("inf") else None  # also None for nan
