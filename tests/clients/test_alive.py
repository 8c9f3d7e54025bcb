"""A sign of life before anything is loaded."""

import sys

import pytest
from tests.fault_server import Answer, FaultServer

from stepalign.clients import alive, server
from stepalign.clients.alive import check_alive, sign_of_life
from stepalign.clients.settings import ClientSettings
from stepalign.core.errors import ConfigError, CriticError, ModelError

NOBODY = "http://127.0.0.1:1/v1"


def settings(url=NOBODY, role="critic", **options):
    return ClientSettings(role, base_url=url, model="m", api_key_env="MY_KEY", **options)


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(server.ServerClient.check, "__defaults__", ((), 1.0))


def silent(number, body):
    raise AssertionError("nothing is generated")


@pytest.mark.parametrize(
    "models",
    [
        Answer(body=b'{"data": [{"id": "m"}]}'),
        Answer(status=404),
        Answer(status=403),
        Answer(status=503),
        Answer(body=b"<html>"),
        Answer(fault="drop"),
        Answer(fault="hang"),
    ],
    ids=lambda answer: answer.fault or str(answer.status),
)
def test_whoever_answers_is_alive(models, monkeypatch):
    monkeypatch.setattr(server, "GREETING_S", 0.1 - server.CONNECT_S)
    monkeypatch.setattr(alive, "QUICK_S", server.CONNECT_S)
    with FaultServer(silent, models=models) as there:
        check_alive(settings(there.url))
        assert sign_of_life(settings(there.url)) == "answers"


@pytest.mark.parametrize(("role", "error"), [("critic", CriticError), ("solver", ModelError)])
def test_nobody_there(role, error, at_once):
    message = rf"cannot reach the {role} at {NOBODY}.*Start the server, or correct {role}_base_url"
    with pytest.raises(error, match=message):
        check_alive(settings(role=role))
    assert sign_of_life(settings(role=role)).startswith(f"does not answer (cannot reach the {role} at")


def test_a_key_that_the_server_does_not_know(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-secret")
    models = Answer(status=401, body=b'{"error": {"message": "bad key sk-secret"}}')
    with FaultServer(silent, models=models) as there, pytest.raises(CriticError) as error:
        check_alive(settings(there.url))
    assert str(error.value).endswith("answered 401: bad key ***. Set MY_KEY.")


def test_offline_nobody_is_asked():
    check_alive(settings(offline=True))


def test_a_package_that_is_missing_is_told_also_offline(monkeypatch):
    monkeypatch.setitem(sys.modules, "stepalign.clients.server", None)
    with pytest.raises(ConfigError, match=r"needs the package aiohttp.*stepalign\[critic\]"):
        check_alive(settings(offline=True))


def test_a_local_model_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match=r"critic_model .* cannot be loaded"):
        check_alive(ClientSettings("critic", "local", model=str(tmp_path / "none")))
    check_alive(ClientSettings("critic", "exact"))


def test_a_proxy_on_the_way_is_named(at_once, monkeypatch):
    monkeypatch.setenv("http_proxy", "127.0.0.1:1")
    with pytest.raises(CriticError, match=r"the proxy http://127\.0\.0\.1:1 \(http_proxy\) cannot be reached.*no_pr"):
        check_alive(settings("http://critic.example/v1"))
    with pytest.raises(CriticError, match=r"the proxy .* is not used for this machine"):
        check_alive(settings())
    with FaultServer(silent) as there:
        check_alive(settings(there.url))


def test_a_line_end_behind_a_key_is_no_part_of_it(monkeypatch):
    for written in ("sk-abc\n", "sk-abc\r\n", "sk-abc\r", " sk-abc "):
        monkeypatch.setenv("MY_KEY", written)
        assert server.read_key("MY_KEY") == "sk-abc"


@pytest.mark.parametrize("written", ["sk-a\nbc", "sk-ä", "sk-\x7f"])
def test_what_is_no_key_is_told_without_showing_it(written, monkeypatch):
    monkeypatch.setenv("MY_KEY", written)
    with pytest.raises(ConfigError, match="MY_KEY holds no key: character") as error:
        check_alive(settings())
    assert written not in str(error.value) and "sk-" not in str(error.value)


def test_the_model_that_is_not_listed_is_told_once(caplog):
    with FaultServer(silent, models=Answer(body=b'{"data": [{"id": "other"}]}')) as there:
        for _ in range(2):
            check_alive(settings(there.url))
    assert caplog.text.count("lists other; critic_model is m") == 1
