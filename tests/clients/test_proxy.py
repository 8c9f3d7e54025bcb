import pytest

from stepalign.clients.proxy import is_loopback, proxy_for, set_proxy
from stepalign.core.errors import ConfigError

SERVER = "http://critic.example:8000/v1"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("value", ["10.0.0.9:3128", "http://10.0.0.9:3128"])
def test_a_proxy_with_and_without_a_scheme(value, monkeypatch):
    monkeypatch.setenv("http_proxy", value)
    assert proxy_for(SERVER).url == "http://10.0.0.9:3128"
    assert str(proxy_for(SERVER)) == "the proxy http://10.0.0.9:3128 (http_proxy)"
    assert proxy_for("https://critic.example/v1") is None


def test_a_password_is_used_and_not_shown(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://me:word@10.0.0.9:3128")
    proxy = proxy_for("https://critic.example/v1")
    assert proxy.url == "http://me:word@10.0.0.9:3128" and "word" not in str(proxy) and "HTTPS_PROXY" in str(proxy)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "[::1]", "critic.localhost"])
def test_this_machine_is_never_behind_a_proxy(host, monkeypatch):
    monkeypatch.setenv("http_proxy", "socks5://10.0.0.9:1080")
    assert is_loopback(host.strip("[]"))
    assert proxy_for(f"http://{host}:8000/v1") is None
    assert set_proxy(f"http://{host}:8000/v1") is not None


def test_hosts_of_no_proxy_are_not(monkeypatch):
    monkeypatch.setenv("http_proxy", "10.0.0.9:3128")
    monkeypatch.setenv("no_proxy", "critic.example")
    assert proxy_for(SERVER) is None


def test_a_proxy_that_cannot_be_used_is_an_error(monkeypatch):
    monkeypatch.setenv("http_proxy", "socks5://10.0.0.9:1080")
    with pytest.raises(ConfigError, match=r"socks5://10\.0\.0\.9:1080 \(http_proxy\).*Unset http_proxy"):
        proxy_for(SERVER)
