import json

import pytest

from stepalign.core.errors import ConfigError, DataError
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


def write_model(directory, **own):
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(json.dumps({"model_type": "qwen3", "stepalign": own}))
    return str(directory)


OWN = {"critic_prompts": "bare", "critique_protocol": "rewrite", "critic_max_tokens": 300}


def asked(settings):
    return {name: getattr(settings, name) for name in OWN}


@pytest.mark.parametrize("critic", [{"critic": "local"}, {"critic_base_url": SERVER["critic_base_url"]}])
def test_what_is_left_open_is_as_the_critics_model_says(tmp_path, critic):
    model = write_model(tmp_path / "own", **OWN)
    assert asked(CriticSettings(**critic, critic_model=model)) == OWN
    given = {"critic_prompts": "rewrite", "critique_protocol": "rewrite", "critic_max_tokens": 99}
    assert asked(CriticSettings(**critic, critic_model=model, **given)) == given


def test_its_prompts_are_for_its_protocol(tmp_path):
    settings = CriticSettings(critic="local", critic_model=write_model(tmp_path, **OWN), critique_protocol="edit")
    assert asked(settings) == {"critic_prompts": "", "critique_protocol": "edit", "critic_max_tokens": 300}


def test_a_model_that_says_nothing_gets_the_general_defaults(tmp_path):
    general = {"critic_prompts": "", "critique_protocol": "edit", "critic_max_tokens": 8192}
    for model in ("m", write_model(tmp_path, prompt_templates="bare")):
        assert asked(CriticSettings(**{**SERVER, "critic_model": model})) == general


def test_settings_that_are_settled_stay_as_they_are(tmp_path):
    settings = CriticSettings(critic="local", critic_model=write_model(tmp_path, **OWN))
    assert CriticSettings(**vars(settings)) == settings


def test_a_model_that_says_nonsense(tmp_path):
    with pytest.raises(ConfigError, match="unknown critique_protocol 'rewrit'; perhaps you meant 'rewrite'"):
        CriticSettings(critic="local", critic_model=write_model(tmp_path, critique_protocol="rewrit"))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(DataError, match="cannot read"):
        CriticSettings(critic="local", critic_model=str(tmp_path))
