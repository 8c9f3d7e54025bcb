"""Messages of JSON over a pair of sockets, each with its length before it, none longer than a limit.

>>> ours, theirs = pair()
>>> ours.send({"a": [1]}); theirs.receive()
{'a': [1]}
>>> ours.close(); theirs.receive() is None
True
"""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

MAX_BYTES = 16 << 20
_LENGTH = struct.Struct("!I")


class Channel:
    """One end. With a `deadline` (of `time.monotonic`) sending and receiving raise TimeoutError when it has passed."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.deadline: float | None = None

    def send(self, message: object) -> None:
        """
        Raises:
            ValueError: it is longer than MAX_BYTES.
            OSError: the other end is gone; TimeoutError is one.
        """
        payload = json.dumps(message, separators=(",", ":")).encode("ascii")
        if len(payload) > MAX_BYTES:
            raise ValueError(f"a value of {len(payload)} bytes; at most {MAX_BYTES} can be passed on")
        self._limit()
        self.end.sendall(_LENGTH.pack(len(payload)) + payload)

    def receive(self) -> Any:
        """The next message, None where the other end is gone.

        Raises:
            ValueError, RecursionError: it is no JSON, or too long.
            TimeoutError: the deadline has passed.
        """
        head = self._read(_LENGTH.size)
        if head is None:
            return None
        (length,) = _LENGTH.unpack(head)
        if length > MAX_BYTES:
            raise ValueError(f"a message of {length} bytes; at most {MAX_BYTES} are read")
        payload = self._read(length)
        return None if payload is None else json.loads(payload)

    def close(self) -> None:
        """The other end then reads the end."""
        self.end.close()

    def _read(self, length: int) -> bytes | None:
        parts: list[bytes] = []
        while length > 0:
            self._limit()
            try:
                part = self.end.recv(min(length, 1 << 20))
            except ConnectionError:
                return None
            if not part:
                return None
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def _limit(self) -> None:
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.end.settimeout(left)


def pair() -> tuple[Channel, Channel]:
    """Two connected ends."""
    a, b = socket.socketpair()
    return Channel(a), Channel(b)
