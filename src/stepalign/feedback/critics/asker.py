"""A model that is asked for solutions through the critics' client: retried, cached, and never asked twice for the same.

async with Asker(settings, role="critic") as asker:
    reply = await asker.ask("What is 2 + 2? ...", temperature=0.0)
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from stepalign.core.errors import ConfigError, CriticError, ModelError
from stepalign.feedback.critics.asking import Asking
from stepalign.feedback.critics.build import build_writer
from stepalign.feedback.critics.cache import ReplyCache
from stepalign.feedback.critics.language_model import extra_keys
from stepalign.feedback.critics.ledger import Ledger
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.critics.writer import Reply, Request, Stop


class Asker:
    """`role` is critic or solver: whom messages speak of. `settings` are a critic's in either case."""

    def __init__(self, settings: CriticSettings, role: str = "critic") -> None:
        self.settings, self.role = settings, role
        self.ledger = Ledger()
        self._writer = build_writer(settings, self.ledger, role)
        self._cache = ReplyCache(settings.cache_path)
        self._body = {"model": settings.critic_model, "max_tokens": settings.critic_max_tokens}
        with named_for(role):
            self._extra = extra_keys(settings)

    async def __aenter__(self) -> Asker:
        await self._writer.__aenter__()
        offline = Stop("offline", f"critic_offline is set, and the cache lacks a reply of the {self.role}.")
        self._asking = Asking(
            self._writer,
            self._cache,
            self.ledger,
            model=self.settings.critic_model,
            concurrency=self.settings.critic_concurrency,
            role=self.role,
            stop=offline if self.settings.critic_offline else None,
        )
        return self

    async def __aexit__(self, *details: object) -> None:
        self._asking.cancel()
        await self._writer.__aexit__(*details)
        self._cache.close()

    async def ask(self, prompt: str, *, number: int = 0, **sampling: Any) -> Reply:
        """One reply to a prompt; `number` tells apart asks that are otherwise the same.

        Raises:
            Failed: no reply to this one, retries included.
            CriticError, ModelError: the critic or the solver cannot be asked at all any more.
        """
        body = self._body | {"messages": [{"role": "user", "content": prompt}]} | sampling | self._extra
        try:
            return await self._asking.reply(
                Request({name: value for name, value in body.items() if value is not None}, number)
            )
        except Stop as stop:
            kind = CriticError if self.role == "critic" else ModelError
            raise kind(f"{stop} What is decided stays; run the same command to go on.") from None


def server_settings(role: str, **values: Any) -> CriticSettings:
    """Settings of a server that plays another role; messages name that role's settings.

    Raises:
        ConfigError: no such URL, no model, …
    """
    with named_for(role):
        return CriticSettings(critic="openai", **{f"critic_{name}": value for name, value in values.items()})


@contextmanager
def named_for(role: str) -> Generator[None]:
    """Messages about a critic's settings speak of the settings of the role instead."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(str(error).replace("critic", role)) from None
