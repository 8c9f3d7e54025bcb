"""The client of a transformers model in this process: no server, one batch at a time.

Requests that wait together form a batch; those of another temperature wait for the next. The model is loaded with the
first request.

    >>> from stepalign.micro import SOLVER_DIR
    >>> settings = ClientSettings("solver", "local", model=str(SOLVER_DIR), max_tokens=8)
    >>> async def write(prompt):
    ...     async with LocalClient(settings) as client:
    ...         return await client.write(settings.request([{"role": "user", "content": prompt}], temperature=0.0))
    >>> asyncio.run(write("Start with 47. Add 38.")).tokens_out
    8
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import Any

from stepalign.clients.client import Reply, Request
from stepalign.clients.ledger import Ledger
from stepalign.clients.settings import ClientSettings
from stepalign.core.errors import ModelError


class LocalClient:
    """The settings' model is a directory, GGUF file or hub name; their concurrency is the batch size."""

    def __init__(self, settings: ClientSettings) -> None:
        self.url = f"local:{_version(settings.model)}"
        self.ledger = Ledger()
        self._settings = settings
        self._loaded: tuple[Any, Any] | None = None

    async def __aenter__(self) -> LocalClient:
        self._waiting: list[tuple[Request, asyncio.Future[Reply]]] = []
        self._batches: asyncio.Task[None] | None = None
        return self

    async def __aexit__(self, *details: object) -> None:
        if self._batches is not None:
            self._batches.cancel()

    def check_there(self) -> None:
        """Look whether there is such a model, without loading it.

        Raises:
            ModelError: there is none.
        """
        from stepalign.models.loading import check_model

        try:
            check_model(self._settings.model)
        except ModelError as error:
            raise self._trouble(error) from None

    async def check(self) -> None:
        """Load the model.

        Raises:
            ModelError: it cannot be loaded.
        """
        await asyncio.to_thread(self._load)

    async def write(self, request: Request) -> Reply:
        """The reply to a request, as one of the next batch."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._batches is None or self._batches.done():
            self._batches = asyncio.create_task(self._run_batches())
        return await future

    async def _run_batches(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # let the others that are ready put theirs in
            temperature = self._waiting[0][0].body["temperature"]
            batch = [item for item in self._waiting if item[0].body["temperature"] == temperature]
            batch = batch[: self._settings.concurrency]
            self._waiting = [item for item in self._waiting if item not in batch]
            try:
                replies = await asyncio.to_thread(self._generate, [request for request, _ in batch], temperature)
            except BaseException as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                raise
            for (_, future), reply in zip(batch, replies, strict=True):
                if not future.done():
                    future.set_result(reply)

    def _generate(self, requests: list[Request], temperature: float) -> list[Reply]:
        import torch

        from stepalign.models.prompts import chat_prompts

        model, tokenizer = self._load()
        prompts = [
            chat_prompts(tokenizer, [request.body["messages"]], request.body.get("chat_template_kwargs"))[0]
            for request in requests
        ]
        texts = [prompt.text for prompt in prompts]
        inputs = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)
        sampling = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
        # random numbers of its own: those of a training run must not depend on what the cache spared it
        devices = [model.device] if model.device.type == "cuda" else []
        with torch.inference_mode(), torch.random.fork_rng(devices):  # pyright: ignore[reportUnknownMemberType]
            torch.manual_seed(_seed(requests))  # pyright: ignore[reportUnknownMemberType]
            output = model.generate(**inputs, max_new_tokens=requests[0].body["max_tokens"], **sampling)
        declared: int | list[int] | None = model.generation_config.eos_token_id
        ends = {*(declared if isinstance(declared, list) else [declared]), tokenizer.eos_token_id}
        new_ids = output[:, inputs["input_ids"].shape[1] :].tolist()
        self.ledger.num_requests += len(requests)
        return [
            self._reply(ids, ends, mask) for ids, mask in zip(new_ids, inputs["attention_mask"].tolist(), strict=True)
        ]

    def _reply(self, ids: list[int], ends: set[int | None], mask: list[int]) -> Reply:
        _, tokenizer = self._load()
        length = next((i + 1 for i, token in enumerate(ids) if token in ends), len(ids))
        is_cut_off = not ids or ids[length - 1] not in ends
        self.ledger.tokens_in += sum(mask)
        self.ledger.tokens_out += length
        text = tokenizer.decode(ids[:length], skip_special_tokens=True)
        return Reply(text, "length" if is_cut_off else "stop", sum(mask), length)

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            from stepalign.models.loading import load_model

            try:
                self._loaded = load_model(self._settings.model)
            except ModelError as error:
                raise self._trouble(error) from None
        return self._loaded

    def _trouble(self, error: ModelError) -> ModelError:
        return ModelError(f"{self._settings.name('model')} '{self._settings.model}' cannot be loaded: {error}")


def _seed(requests: list[Request]) -> int:
    """From what is asked alone, so that the same batch samples the same wherever the model lies."""
    asked = [(request.ask, request.body["messages"]) for request in requests]
    return int(sha256(repr(asked).encode("utf-8", "replace")).hexdigest()[:15], 16)


def _version(model: str) -> str:
    """Another one when the files of a model directory, or a GGUF file, change: a model trained again is asked again."""
    path = Path(model)
    files = sorted(file for file in (path.glob("*") if path.is_dir() else [path]) if file.is_file())
    stamps = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return sha256(repr(stamps).encode()).hexdigest()[:12]
