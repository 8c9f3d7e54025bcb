import pytest

from stepalign.core.errors import ConfigError
from stepalign.feedback.critics.settings import CriticSettings

SERVER = {"critic_base_url": "http://127.0.0.1:8000/v1", "critic_model": "m"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"critic_base_url": ""}, "needs critic_base_url; got none"),
        ({"critic_model": ""}, "needs critic_model; got none"),
        ({"critic_base_url": "localhost:8000"}, "must begin with http"),
        ({"critic_base_url": "http://me:word@host/v1"}, "must hold no password"),
        ({"critique_protocol": "edits"}, "perhaps you meant 'edit'"),
        ({"critic_truth": "all"}, "unknown critic_truth 'all'"),
        ({"critic_concurrency": 0}, "critic_concurrency must be at least 1; got 0"),
        ({"critic_timeout_s": -1.0}, "critic_timeout_s must be at least 0"),
        ({"critic_timeout_s": float("nan")}, "critic_timeout_s must be at least 0"),
        ({"critic_cost_budget": 5.0}, "needs prices"),
    ],
)
def test_a_bad_setting_says_what_is_wrong(options, message):
    with pytest.raises(ConfigError, match=message):
        CriticSettings(**{**SERVER, **options})


def test_a_local_critic_needs_a_model():
    with pytest.raises(ConfigError, match="critic 'local' needs a model"):
        CriticSettings(critic="local")


def test_every_setting_is_explained():
    for item in CriticSettings.__dataclass_fields__.values():
        assert len(item.metadata["help"]) > 20
