"""The loss that an inspection has in mind: what it would do to the logits is told token by token.

    >>> loss = read_loss({"divergence": "reverse_kl", "divergence_clip": 0.05}, "case.yaml")
    >>> loss.made().kind, loss.weights(3)
    ('reverse_kl', [1.0, 1.0, 1.0])

The names are those of `stepalign train`; of a run's rollouts it is the run's own loss. `divergence_clip` and
`divergence_top_k` act inside the divergence, `mask_first_tokens` is a gate: such tokens carry no loss at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from stepalign.core.errors import ConfigError, suggest
from stepalign.core.settings import AtLeast0, Settings, Share, names_of, setting
from stepalign.maths.objective import Divergence


@dataclass(frozen=True, kw_only=True)
class InspectedLoss(Settings):
    """As the settings of training that have the same names.

    Raises:
        ConfigError: an unknown divergence, or a number out of its range.
    """

    divergence: Literal["forward_kl", "reverse_kl", "jsd"] = setting("forward_kl", "As in train.")
    beta: Share | None = setting(None, "As in train.")
    divergence_clip: float | None = setting(None, "As in train.")
    divergence_top_k: int | None = setting(None, "As in train.")
    loss_temperature: float = setting(1.0, "As in train.")
    mask_first_tokens: AtLeast0 = setting(0, "As in train.")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.made()

    def made(self) -> Divergence:
        """The divergence."""
        beta = 0.5 if self.beta is None else self.beta
        return Divergence(self.divergence, beta, self.loss_temperature, self.divergence_clip, self.divergence_top_k)

    def weights(self, num_tokens: int) -> list[float]:
        """What each token's divergence counts in the loss: 0 where it carries none."""
        masked = min(self.mask_first_tokens, num_tokens)
        return [0.0] * masked + [1.0] * (num_tokens - masked)

    def to_json(self) -> dict[str, Any]:
        """The settings by name."""
        return asdict(self)


NAMES = tuple(names_of(InspectedLoss))


def read_loss(values: Mapping[str, Any] | None, where: str) -> InspectedLoss:
    """The loss that a mapping describes; what is not in it, or None, is as in training by default.

    Raises:
        ConfigError: an unknown key, or a value that does not fit.
    """
    given = {key: value for key, value in (values or {}).items() if value is not None}
    for key in given:
        if key not in NAMES:
            raise ConfigError(f"{where}: unknown key '{key}' of loss{suggest(key, NAMES)}")
    return InspectedLoss(**given)


def loss_of_run(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a run's resolved settings that make its loss."""
    return {name: settings[name] for name in NAMES if settings.get(name) is not None}
