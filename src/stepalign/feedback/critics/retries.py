"""When a failed request is worth another try, and how long to wait before it.

is_transient(503), backoff_s(0), retry_after_s("120")        # (True, about 0.5, 120.0)
"""

from __future__ import annotations

import random
import time
from email.utils import parsedate_to_datetime

FIRST_WAIT_S = 0.5
LONGEST_BACKOFF_S = 30.0
LONGEST_WAIT_S = 600.0  # a server that asks for more patience than this fails the request instead


class Transient(Exception):
    """A failed request that may do better next time. `is_free`: it certainly was not billed."""

    def __init__(
        self,
        reason: str,
        detail: str = "",
        *,
        retry_after_s: float | None = None,
        most_retries: int = 1000,
        is_free: bool = False,
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail
        self.retry_after_s, self.most_retries, self.is_free = retry_after_s, most_retries, is_free


def is_transient(status: int) -> bool:
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
