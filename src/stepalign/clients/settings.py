"""Whom to ask and how: what critics' and solvers' settings have in common, checked in one place.

>>> settings = ClientSettings("solver", base_url="http://127.0.0.1:8000/v1", model="Qwen/Qwen3-1.7B", max_tokens=64)
>>> settings.request([{"role": "user", "content": "What is 2 + 2?"}], temperature=1.1).body
{'model': 'Qwen/Qwen3-1.7B', 'max_tokens': 64, 'messages': [...], 'temperature': 1.1}
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from stepalign.clients.cache import default_cache_path
from stepalign.clients.client import Request
from stepalign.core.errors import ConfigError, CriticError, ModelError

Role = Literal["critic", "solver"]
KINDS = ("openai", "local")


@dataclass(frozen=True)
class ClientSettings:
    """What a client needs to know; each field is explained where a user sets it, as `<role>_<field>`.

    `kind`: openai (any OpenAI-compatible server) or local (a transformers model in this process); of another kind,
    which no client is for, only the numbers are checked.

    Raises:
        ConfigError: a number is out of range, a server or a model is missing, the URL or the extra body is malformed.
    """

    role: Role
    kind: str = "openai"
    base_url: str = ""
    model: str = ""
    api_key_env: str = ""
    max_tokens: int = 8192
    extra_body: str = ""
    concurrency: int = 16
    timeout_s: float = 300.0
    deadline_s: float = 0.0
    num_retries: int = 5
    token_budget: int = 0
    cost_budget: float = 0.0
    price_in: float = 0.0
    price_out: float = 0.0
    cache: str = ""
    offline: bool = False

    def __post_init__(self) -> None:
        for field, value in vars(self).items():
            least = 1 if field in ("max_tokens", "concurrency") else 0
            if isinstance(value, int | float) and not value >= least:  # also nan
                raise ConfigError(f"{self.name(field)} must be at least {least}; got {value}.")
        if self.cost_budget and not (self.price_in or self.price_out):
            prices = f"{self.name('price_in')} and {self.name('price_out')}"
            raise ConfigError(f"{self.name('cost_budget')} needs prices; got none. Set {prices}.")
        if self.kind == "openai":
            self._check_server()
        if self.kind == "local" and not self.model:
            wanted = f"Set {self.name('model')} to a directory, GGUF file or hub name."
            raise ConfigError(f"{self.role} 'local' needs a model; got none. {wanted}")
        if self.kind in KINDS:
            _ = self.extra_keys

    def name(self, field: str) -> str:
        """What the user calls a field: critic_base_url, solver_base_url."""
        return f"{self.role}_{field}"

    @property
    def error(self) -> type[CriticError] | type[ModelError]:
        """What is raised where it cannot be asked."""
        return CriticError if self.role == "critic" else ModelError

    @cached_property
    def extra_keys(self) -> Mapping[str, Any]:
        """What `extra_body` adds to each request."""
        try:
            extra: object = json.loads(self.extra_body or "{}")
            if not isinstance(extra, dict):
                raise ValueError("no object")
        except ValueError as error:
            got = f"got '{self.extra_body}' ({error})"
            raise ConfigError(f"{self.name('extra_body')} must be a JSON object; {got}.") from None
        return cast("dict[str, Any]", extra)

    @property
    def cache_path(self) -> Path:
        """The file that replies are kept in."""
        return Path(self.cache).expanduser() if self.cache else default_cache_path()

    def request(self, messages: Sequence[Mapping[str, str]], ask: int = 0, **sampling: object) -> Request:
        """A request to this model; the user's extra keys win over all others, and a null takes a key away."""
        body = {"model": self.model, "max_tokens": self.max_tokens, "messages": messages, **sampling, **self.extra_keys}
        return Request({key: value for key, value in body.items() if value is not None}, ask)

    def _check_server(self) -> None:
        for field, example in (("base_url", "http://127.0.0.1:8000/v1"), ("model", "Qwen/QwQ-32B")):
            if not getattr(self, field):
                name = self.name(field)
                raise ConfigError(f"{self.role} 'openai' needs {name}; got none. Set it, for instance to {example}.")
        url = urlsplit(self.base_url)
        name = self.name("base_url")
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ConfigError(f"{name} must begin with http:// or https://; got '{self.base_url}'.")
        if url.username or url.password:
            raise ConfigError(f"{name} must hold no password. Put the key in the variable {self.api_key_env} instead.")
