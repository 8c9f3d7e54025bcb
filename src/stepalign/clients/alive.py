"""Whether there is somebody to ask, found out before anything is loaded or generated.

>>> check_alive(ClientSettings("critic", "exact"))          # no client is for it: nothing to find out
>>> sign_of_life(ClientSettings("critic", base_url="http://127.0.0.1:1/v1", model="m", num_retries=0)).split(" (")[0]
'does not answer'
"""

from __future__ import annotations

from collections.abc import Sequence

from stepalign.clients.client import Stop
from stepalign.clients.local import LocalClient
from stepalign.clients.pool import make_client, run
from stepalign.clients.settings import KINDS, ClientSettings

QUICK_S = 2.0  # to connect, where it is only for information


def check_alive(settings: ClientSettings) -> None:
    """Ask the server for a sign of life, or look whether the model is there; nothing is asked where it is offline.

    Raises:
        ConfigError: the package that the client needs is not installed, or the key or the proxy cannot be used.
        CriticError, ModelError: nobody answers, or the server does not know the key.
        ModelError: there is no such model.
    """
    try:
        _greet(settings)
    except Stop as stop:
        raise settings.error(str(stop)) from None


def sign_of_life(settings: ClientSettings) -> str:
    """ "answers", or that it does not and why; in one quick attempt.

    Raises:
        ConfigError: the package that the client needs is not installed, or the key or the proxy cannot be used.
    """
    try:
        _greet(settings, waits_s=(), connect_s=QUICK_S)
    except Stop as stop:
        return f"does not answer ({stop})"
    return "answers"


def _greet(settings: ClientSettings, **patience: Sequence[float] | float) -> None:
    if settings.kind not in KINDS:
        return
    client = make_client(settings)
    if isinstance(client, LocalClient):
        client.check_there()
    elif not settings.offline:

        async def greet() -> None:
            async with client:
                await client.check(**patience)

        run(greet())
