"""Whether the Hugging Face hub can be reached, told at once instead of after its client's many retries.

>>> error = connection_error()      # None: it answers, or a proxy is set and the client must find out
"""

from __future__ import annotations

import os
import socket

from huggingface_hub import constants

CONNECT_TIMEOUT_S = 5
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


def connection_error() -> OSError | None:
    """What one attempt to connect to the hub's endpoint ended with; None where it may be used."""
    if any(os.environ.get(key) for key in PROXIES):
        return None  # a proxy resolves the host
    host = constants.ENDPOINT.split("//")[-1].split("/")[0].split(":")
    port = int(host[1]) if len(host) > 1 else 80 if constants.ENDPOINT.startswith("http:") else 443
    try:
        socket.create_connection((host[0], port), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        return error
    return None
