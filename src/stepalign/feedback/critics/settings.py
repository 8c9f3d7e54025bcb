"""Settings of a critic: one flat dataclass, the same names on the command line, in a recipe and here.

>>> settings = CriticSettings(critic_base_url="http://127.0.0.1:8000/v1", critic_model="Qwen/QwQ-32B")
>>> settings.critic, settings.critique_protocol
('openai', 'edit')
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from stepalign.clients.settings import ClientSettings
from stepalign.core.errors import ConfigError
from stepalign.core.files import read_json
from stepalign.core.settings import AtLeast0, NonNegative, Settings, setting
from stepalign.micro.problems import CRITIC_DIR

Truth = Literal["solution", "answer", "none"]
CritiqueProtocol = Literal["auto", "edit", "rewrite"]
ResponseFormat = Literal["json_schema", "json_object", "none"]
OnFailure = Literal["skip", "reference"]


@dataclass(frozen=True, kw_only=True)
class CriticSettings(Settings):
    """What to ask, whom, how patiently, and what it may cost. Each field's help is its only documentation."""

    critic: str = setting(
        "openai",
        "openai (any OpenAI-compatible server), local (a transformers model in this process), micro (the "
        "shipped critic of the micro world, local), exact (the micro world's, which computes), results "
        "(no model: follows the solver while its results are the reference solution's), or your own function as "
        "file.py:function or package.module:function, from a Rollout to a Critique.",
    )
    critic_base_url: str = setting("", "Server of the openai critic, usually ending in /v1.")
    critic_model: str = setting(
        "", "Model name that the server expects; for critic local, a directory, GGUF file or hub name."
    )
    critic_api_key_env: str = setting(
        "STEPALIGN_CRITIC_API_KEY", "Environment variable that holds the key. Unset: no key is sent.", may_change=True
    )
    critique_protocol: CritiqueProtocol = setting(
        "auto",
        "edit: the critic writes only what replaces steps. rewrite: it writes the whole corrected trace. "
        "auto: as the config.json of a critic_model that is a directory says, else edit.",
    )
    critic_truth: Truth = setting(
        "solution", "Ground truth shown to the critic; solution falls back to the answer where a problem has none."
    )
    critic_judgement: bool = setting(
        False,
        "Also ask for a sentence on what is wrong and why, which condition describe shows (edit protocol of the openai "
        "and local critics).",
    )
    critic_prompts: str = setting(
        "",
        "Prompts: a shipped family (edit, rewrite, bare), or a directory with user.jinja and perhaps "
        "system.jinja. Empty: as the critic_model says, where its protocol is the one used, else the protocol's.",
    )
    critic_response_format: ResponseFormat = setting(
        "json_schema", "What the edit protocol asks the server to enforce; replies are validated here in any case."
    )
    critic_extra_body: str = setting(
        "", 'JSON object merged into each request, such as {"reasoning_effort": "low"}; a null removes a key.'
    )
    critic_max_tokens: int = setting(
        0, "Longest reply in tokens, thinking included. 0: as the critic_model says, else 8192."
    )
    critic_num_reasks: AtLeast0 = setting(2, "How often a rejected critique is asked for again. 0: never.")
    critic_reask_temperature: NonNegative = setting(0.7, "Temperature of those later asks; the first ask is greedy.")
    critic_on_failure: OnFailure = setting(
        "skip", "A rollout whose critique stays rejected: skip it, or use the reference solution instead."
    )
    critic_concurrency: int = setting(
        16, "Requests under way at once; for critic local, the batch size.", may_change=True
    )
    critic_timeout_s: float = setting(
        300.0, "Seconds until a reply must have begun. Raise it for long thinking.", may_change=True
    )
    critic_deadline_s: float = setting(
        0.0, "Seconds for all critiques of one call; the rest is skipped. 0: no limit.", may_change=True
    )
    critic_num_retries: int = setting(
        5, "Retries of a failed request (connection, 429, 5xx), with backoff.", may_change=True
    )
    critic_token_budget: int = setting(0, "Tokens, in and out, that a run may use. 0: no limit.", may_change=True)
    critic_cost_budget: float = setting(
        0.0, "Money that a run may use; needs the two prices. 0: no limit.", may_change=True
    )
    critic_price_in: float = setting(0.0, "Price of a million prompt tokens.", may_change=True)
    critic_price_out: float = setting(0.0, "Price of a million reply tokens.", may_change=True)
    critic_cache: str = setting(
        "", "Cache file. Empty: $STEPALIGN_CACHE/critic.sqlite, by default in ~/.cache/stepalign.", may_change=True
    )
    critic_audit: str = setting(
        "",
        "audit.json of this critic, as stepalign critique --audit writes it. It is kept beside the run, whose report "
        "then says how often the critic finds the first wrong step. Empty: the report says that nobody looked.",
        may_change=True,
    )
    critic_offline: bool = setting(
        False, "Use the cache alone; a rollout that is not in it is skipped and counted.", may_change=True
    )

    def __post_init__(self) -> None:
        self._fill_in()
        super().__post_init__()
        is_silent = self.critic in ("micro", "exact", "results") or self.critique_protocol != "edit"
        if self.critic_judgement and is_silent:
            raise ConfigError(
                f"critic_judgement: critic {self.critic} with protocol {self.critique_protocol} gives none. Set "
                "critic: openai or local, and critique_protocol: edit."
            )
        self.client_settings()

    def client_settings(self) -> ClientSettings:
        """Whom to ask and how, where the critic is a language model.

        Raises:
            ConfigError: one of these settings is wrong.
        """
        names = {item.name for item in fields(ClientSettings)} - {"role", "kind"}
        kind = "local" if self.critic == "micro" else self.critic
        return ClientSettings("critic", kind, **{name: getattr(self, f"critic_{name}") for name in names})

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

    def _settle(self, name: str, value: object) -> None:
        if getattr(self, name) in ("auto", "", 0):
            object.__setattr__(self, name, value)


def critic_defaults(model: str) -> dict[str, Any]:
    """What the config.json of a model directory says of its use as a critic, under the key `stepalign`; {} elsewhere.

    Raises:
        DataError: there is a config.json and it is no JSON.
    """
    path = Path(model) / "config.json"
    config = read_json(path) if model and path.is_file() else {}
    own = config.get("stepalign") if isinstance(config, dict) else None
    return own if isinstance(own, dict) else {}
