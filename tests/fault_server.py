"""An OpenAI-compatible server on loopback that does what a script says: replies, errors, and every fault in the book.

with FaultServer(lambda n, body: Answer(content='{"case": ...}')) as server:
    settings(critic_base_url=server.url)
server.requests        # the bodies it got, in order
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Answer:
    """What the server does with one request.

    `content` is wrapped into a chat completion unless `body` gives the raw bytes. `fault`: "hang" sends nothing and
    keeps the line open, "stall" stops in the middle and keeps it open, "cut" stops in the middle and closes it, "drop"
    closes it at once, "endless" never stops sending. The answer comes after `latency_s` seconds, and not before so
    many as `at_once` requests have been under way together.
    """

    content: str | None = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    fault: str = ""
    finish_reason: str = "stop"
    latency_s: float = 0.0
    at_once: int = 0
    usage: Any = field(default_factory=lambda: {"prompt_tokens": 10, "completion_tokens": 5})

    def encode(self) -> bytes:
        if self.body is not None:
            return self.body
        if self.status != 200:
            return json.dumps({"error": {"message": f"scripted {self.status}"}}).encode()
        message = {"role": "assistant", "content": self.content}
        return json.dumps(
            {"choices": [{"index": 0, "message": message, "finish_reason": self.finish_reason}], "usage": self.usage}
        ).encode()


Script = Callable[[int, dict[str, Any]], Answer]


class FaultServer:
    """Runs in a thread of its own; `script` gets the number of the request (from 0) and its body."""

    def __init__(self, script: Script, *, models: Answer | None = None) -> None:
        self.script, self.models = script, models or Answer(status=404)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[str] = []
        self.most_at_once = 0
        self._at_once = 0
        self._arrival = asyncio.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> FaultServer:
        self._thread.start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result()
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    def __exit__(self, *details: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _close(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(length.group(1))) if length else b""
        if head.startswith("GET"):
            return await self._answer(self.models, writer)
        number = len(self.requests)
        request = json.loads(body)
        self.requests.append(request)
        self.headers.append(head)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            answer = self.script(number, request)
            async with self._arrival:
                self._arrival.notify_all()
                await self._arrival.wait_for(lambda: self.most_at_once >= answer.at_once)
            await asyncio.sleep(answer.latency_s)
            return await self._answer(answer, writer)
        finally:
            self._at_once -= 1

    async def _answer(self, answer: Answer, writer: asyncio.StreamWriter) -> bool:
        data = answer.encode()
        if answer.fault == "drop":
            return False
        if answer.fault == "hang":
            await asyncio.Event().wait()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(data))} | answer.headers
        if answer.fault == "endless":
            headers["Content-Length"] = str(10**12)
        lines = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        writer.write(data[: len(data) // 2] if answer.fault in ("stall", "cut") else data)
        await writer.drain()
        if answer.fault == "stall":
            await asyncio.Event().wait()
        while answer.fault == "endless":
            writer.write(b"x" * 65536)
            await writer.drain()
        return answer.fault != "cut"


def edit(case: str, keep: int, new_steps: list[str], answer: str) -> str:
    """The reply of the edit protocol."""
    return json.dumps({"case": case, "keep_steps": keep, "new_steps": new_steps, "answer": answer})


def attempt_of(body: dict[str, Any]) -> str:
    """The attempt as a prompt shows it."""
    return re.search(r"<attempt>\n(.*)\n</attempt>", body["messages"][-1]["content"], re.DOTALL).group(1)
