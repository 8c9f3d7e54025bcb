import pytest

from stepalign.clients.settings import ClientSettings
from stepalign.core.errors import ConfigError

SERVER = {"base_url": "http://127.0.0.1:8000/v1", "model": "m", "api_key_env": "MY_KEY"}
MESSAGES = [
    ({"base_url": ""}, "{role} 'openai' needs {role}_base_url; got none. Set it, for instance to http"),
    ({"model": ""}, "{role} 'openai' needs {role}_model; got none. Set it, for instance to Qwen/QwQ-32B."),
    ({"base_url": "critic:8000"}, "{role}_base_url must begin with http:// or https://; got 'critic:8000'."),
    (
        {"base_url": "http://me:word@host/v1"},
        "{role}_base_url must hold no password. Put the key in the variable",
    ),
    ({"concurrency": 0}, "{role}_concurrency must be at least 1; got 0."),
    ({"timeout_s": float("nan")}, "{role}_timeout_s must be at least 0; got nan."),
    ({"cost_budget": 5.0}, "{role}_cost_budget needs prices; got none. Set {role}_price_in and {role}_price_out."),
    ({"extra_body": "[5]"}, "{role}_extra_body must be a JSON object; got '[5]' (no object)."),
    ({"kind": "local", "model": ""}, "{role} 'local' needs a model; got none. Set {role}_model to a directory"),
]


@pytest.mark.parametrize("role", ["critic", "solver"])
@pytest.mark.parametrize(("options", "message"), MESSAGES)
def test_messages_name_the_settings_of_the_role(role, options, message):
    with pytest.raises(ConfigError) as error:
        ClientSettings(role, **{**SERVER, **options})
    assert str(error.value).startswith(message.format(role=role))


def test_a_kind_without_a_client_needs_neither_server_nor_model():
    assert ClientSettings("critic", "exact", extra_body="{").name("model") == "critic_model"


def test_the_users_keys_win_and_null_takes_a_key_away():
    settings = ClientSettings("solver", **SERVER, extra_body='{"max_tokens": null, "temperature": 0.5, "top_k": 3}')
    request = settings.request([{"role": "user", "content": "x"}], 7, temperature=1.1, seed=2)
    messages = [{"role": "user", "content": "x"}]
    assert request.ask == 7
    assert request.body == {"model": "m", "messages": messages, "temperature": 0.5, "seed": 2, "top_k": 3}
