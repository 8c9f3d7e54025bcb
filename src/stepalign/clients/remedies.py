"""What to do about a server's refusal: from its status and its words to the setting that a user has to change.

>>> settings = ClientSettings("critic", base_url="http://127.0.0.1:8000/v1", model="m")
>>> remedy(settings, 400, "This response_format type is unavailable now")
'Set critic_response_format to none, or to json_object.'
"""

from __future__ import annotations

import re

from stepalign.clients.settings import ClientSettings

HINTS = (  # the first that fits the words; names in braces are fields of the settings
    (r"response.?format|json.?schema|guided|grammar|structured", "Set {response_format} to none, or to json_object."),
    (
        r"max_completion_tokens",
        'Set {extra_body} to \'{{"max_tokens": null, "max_completion_tokens": 8192}}\', with a number of your own.',
    ),
    (r"context (?:length|size|window)|maximum.{0,20}length|too many tokens|prompt is too long", "Lower {max_tokens}."),
    (r"temperature", "Set {extra_body} to '{{\"temperature\": null}}'."),
)
ROUTE = "Check {base_url} (it usually ends in /v1) and {model}."
REFUSALS = {401: "Set {key}.", 402: "Check the account.", 403: f"Check {{key}}. {ROUTE}", 407: "Check the proxy."}
STOPPING = {300, 301, 302, 303, 307, 308, 401, 402, 403, 404, 405, 407}  # the next request would be answered so, too


def remedy(settings: ClientSettings, status: int, words: str) -> str:
    """What to change after this answer; empty where nobody knows."""
    hint = next((hint for pattern, hint in HINTS if re.search(pattern, words, re.IGNORECASE)), "")
    hint = REFUSALS.get(status) or (ROUTE if status in STOPPING else hint if status in (400, 413, 422) else "")
    if settings.role != "critic" and "{response_format}" in hint:  # solvers are not asked with one
        hint = "Check {extra_body}."
    fields = ("base_url", "model", "max_tokens", "extra_body", "response_format")
    return hint.format(key=settings.api_key_env, **{field: settings.name(field) for field in fields})
