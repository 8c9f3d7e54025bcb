"""Settings of a critic: one flat dataclass, the same names on the command line, in a recipe and here.

>>> settings = CriticSettings(critic_base_url="http://127.0.0.1:8000/v1", critic_model="Qwen/QwQ-32B")
>>> settings.critic, settings.critique_protocol
('openai', 'edit')
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints
from urllib.parse import urlsplit

from stepalign.core.errors import ConfigError, suggest
from stepalign.core.files import read_json
from stepalign.micro.problems import CRITIC_DIR

Truth = Literal["solution", "answer", "none"]
CritiqueProtocol = Literal["auto", "edit", "rewrite"]
ResponseFormat = Literal["json_schema", "json_object", "none"]
OnFailure = Literal["skip", "reference"]


@dataclass(frozen=True)
class CriticSettings:
    """What to ask, whom, how patiently, and what it may cost. Each field's help is its only documentation."""

    critic: str = field(
        default="openai",
        metadata={
            "help": "openai (any OpenAI-compatible server), local (a transformers model in this process), micro (the "
            "shipped critic of the micro world, local), exact (the micro world's, which computes), or your own "
            "function as package.module:function, from a Rollout to a Critique."
        },
    )
    critic_base_url: str = field(default="", metadata={"help": "Server of the openai critic, usually ending in /v1."})
    critic_model: str = field(
        default="", metadata={"help": "Model name that the server expects; for critic local, a directory or hub name."}
    )
    critic_api_key_env: str = field(
        default="STEPALIGN_CRITIC_API_KEY",
        metadata={"help": "Environment variable that holds the key. Unset: no key is sent."},
    )
    critique_protocol: CritiqueProtocol = field(
        default="auto",
        metadata={
            "help": "edit: the critic writes only what replaces steps. rewrite: it writes the whole corrected trace. "
            "auto: as the config.json of a critic_model that is a directory says, else edit."
        },
    )
    critic_truth: Truth = field(
        default="solution",
        metadata={
            "help": "Ground truth shown to the critic; solution falls back to the answer where a problem has none."
        },
    )
    critic_prompts: str = field(
        default="",
        metadata={
            "help": "Prompts: a shipped family (edit, rewrite, bare), or a directory with user.jinja and perhaps "
            "system.jinja. Empty: as the critic_model says, where its protocol is the one used, else the protocol's."
        },
    )
    critic_response_format: ResponseFormat = field(
        default="json_schema",
        metadata={"help": "What the edit protocol asks the server to enforce; replies are validated here in any case."},
    )
    critic_extra_body: str = field(
        default="",
        metadata={
            "help": 'JSON object merged into each request, such as {"reasoning_effort": "low"}; a null removes a key.'
        },
    )
    critic_max_tokens: int = field(
        default=0,
        metadata={"help": "Longest reply in tokens, thinking included. 0: as the critic_model says, else 8192."},
    )
    critic_num_reasks: int = field(
        default=2, metadata={"help": "How often a rejected critique is asked for again. 0: never."}
    )
    critic_reask_temperature: float = field(
        default=0.7, metadata={"help": "Temperature of those later asks; the first ask is greedy."}
    )
    critic_on_failure: OnFailure = field(
        default="skip",
        metadata={"help": "A rollout whose critique stays rejected: skip it, or use the reference solution instead."},
    )
    critic_concurrency: int = field(
        default=16, metadata={"help": "Requests under way at once; for critic local, the batch size."}
    )
    critic_timeout_s: float = field(
        default=300.0, metadata={"help": "Seconds until a reply must have begun. Raise it for long thinking."}
    )
    critic_deadline_s: float = field(
        default=0.0, metadata={"help": "Seconds for all critiques of one call; the rest is skipped. 0: no limit."}
    )
    critic_num_retries: int = field(
        default=5, metadata={"help": "Retries of a failed request (connection, 429, 5xx), with backoff."}
    )
    critic_token_budget: int = field(
        default=0, metadata={"help": "Tokens, in and out, that a run may use. 0: no limit."}
    )
    critic_cost_budget: float = field(
        default=0.0, metadata={"help": "Money that a run may use; needs the two prices. 0: no limit."}
    )
    critic_price_in: float = field(default=0.0, metadata={"help": "Price of a million prompt tokens."})
    critic_price_out: float = field(default=0.0, metadata={"help": "Price of a million reply tokens."})
    critic_cache: str = field(
        default="",
        metadata={"help": "Cache file. Empty: $STEPALIGN_CACHE/critic.sqlite, by default in ~/.cache/stepalign."},
    )
    critic_offline: bool = field(
        default=False, metadata={"help": "Use the cache alone; a rollout that is not in it is skipped and counted."}
    )

    def __post_init__(self) -> None:
        self._fill_in()
        for name, hint in get_type_hints(type(self)).items():
            options = get_args(hint)
            if options and getattr(self, name) not in options:
                raise ConfigError(f"unknown {name} '{getattr(self, name)}'{suggest(getattr(self, name), options)}")
        for item in fields(self):
            value = getattr(self, item.name)
            least = 1 if item.name in ("critic_concurrency", "critic_max_tokens") else 0
            if isinstance(value, int | float) and not value >= least:
                raise ConfigError(f"{item.name} must be at least {least}; got {value}.")
        if self.critic_cost_budget and not (self.critic_price_in or self.critic_price_out):
            raise ConfigError("critic_cost_budget needs prices; got none. Set critic_price_in and critic_price_out.")
        if self.critic == "openai":
            self._check_server()
        elif self.critic == "local" and not self.critic_model:
            raise ConfigError("critic 'local' needs a model; got none. Set critic_model to a directory or hub name.")

    def _fill_in(self) -> None:
        """Settle what was left open ("auto", empty, 0): as the critic's model says, else by the general defaults."""
        if self.critic == "micro":
            self._settle("critic_model", str(CRITIC_DIR))
        own = critic_defaults(self.critic_model)
        protocol = own.get("critique_protocol", "edit")
        self._settle("critique_protocol", protocol)
        if self.critique_protocol == protocol:  # its prompts are for its protocol
            self._settle("critic_prompts", own.get("critic_prompts", ""))
        self._settle("critic_max_tokens", own.get("critic_max_tokens", 8192))

    def _settle(self, name: str, value: Any) -> None:
        if getattr(self, name) in ("auto", "", 0):
            object.__setattr__(self, name, value)

    def _check_server(self) -> None:
        for name, example in (("critic_base_url", "http://127.0.0.1:8000/v1"), ("critic_model", "Qwen/QwQ-32B")):
            if not getattr(self, name):
                raise ConfigError(f"critic 'openai' needs {name}; got none. Set it, for instance to {example}.")
        url = urlsplit(self.critic_base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ConfigError(f"critic_base_url must begin with http:// or https://; got '{self.critic_base_url}'.")
        if url.username or url.password:
            raise ConfigError(
                f"critic_base_url must hold no password. Put the key in the variable {self.critic_api_key_env} instead."
            )

    @property
    def cache_path(self) -> Path:
        from stepalign.feedback.critics.cache import default_cache_path

        return Path(self.critic_cache).expanduser() if self.critic_cache else default_cache_path()


def critic_defaults(model: str) -> dict[str, Any]:
    """What the config.json of a model directory says of its use as a critic, under the key `stepalign`; {} elsewhere.

    Raises:
        DataError: there is a config.json and it is no JSON.
    """
    path = Path(model) / "config.json"
    config = read_json(path) if model and path.is_file() else {}
    own = config.get("stepalign") if isinstance(config, dict) else None
    return own if isinstance(own, dict) else {}
