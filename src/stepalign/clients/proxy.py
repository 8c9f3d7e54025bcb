"""The proxy that the environment names for a server, as curl takes it, and how a message names it.

>>> import os
>>> os.environ["http_proxy"] = "me:word@10.0.0.9:3128"
>>> proxy = proxy_for("http://critic.example/v1")
>>> proxy.url, str(proxy)
('http://me:word@10.0.0.9:3128', 'the proxy http://10.0.0.9:3128 (http_proxy)')
>>> proxy_for("http://127.0.0.1:8000/v1")           # this machine is never behind one
>>> del os.environ["http_proxy"]
"""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from stepalign.core.errors import ConfigError


class Proxy(NamedTuple):
    """A proxy and the variable that names it; its words hold no password."""

    url: str
    variable: str

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        return f"the proxy {parts.scheme}://{parts.netloc.rpartition('@')[2]} ({self.variable})"


def proxy_for(url: str) -> Proxy | None:
    """The proxy on the way to a server, None where there is none, as always to this machine.

    Raises:
        ConfigError: it is of a kind that cannot be used.
    """
    host = urlsplit(url).hostname or ""
    proxy = None if is_loopback(host) or proxy_bypass(host) else set_proxy(url)
    if proxy is not None and urlsplit(proxy.url).scheme not in ("http", "https"):
        raise ConfigError(
            f"{proxy} is of a kind that cannot be used; expected http or https. Unset {proxy.variable}, or add {host} "
            "to no_proxy."
        )
    return proxy


def set_proxy(url: str) -> Proxy | None:
    """The proxy that is set for servers of that scheme, whether or not it is on the way to this one."""
    scheme = urlsplit(url).scheme
    address = getproxies().get(scheme)
    if not address:
        return None
    names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY")
    variable = next((name for name in names if os.environ.get(name)), f"the system's {scheme} proxy")
    return Proxy(address if "://" in address else f"http://{address}", variable)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
