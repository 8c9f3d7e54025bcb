import pytest

from stepalign.clients.remedies import remedy
from stepalign.clients.settings import ClientSettings

SERVER = {"base_url": "http://127.0.0.1:8000/v1", "model": "m", "api_key_env": "MY_KEY"}
ROUTE = "Check critic_base_url (it usually ends in /v1) and critic_model."


@pytest.mark.parametrize(
    ("status", "words", "said"),
    [
        (400, "This response_format type is unavailable now", "Set critic_response_format to none, or to json_object."),
        (422, "guided decoding needs xgrammar", "Set critic_response_format to none, or to json_object."),
        (400, "This model's maximum context length is 4096 tokens.", "Lower critic_max_tokens."),
        (400, "'max_tokens' is not supported. Use 'max_completion_tokens'", '{"max_tokens": null, "max_completion_tok'),
        (400, "'temperature' does not support 0.0", "Set critic_extra_body to '{\"temperature\": null}'."),
        (401, "no", "Set MY_KEY."),
        (403, "no", f"Check MY_KEY. {ROUTE}"),
        (404, "the json_schema of this is not here", ROUTE),
        (407, "no", "Check the proxy."),
        (400, "no", ""),
        (500, "the grammar crashed", ""),
    ],
)
def test_what_to_change(status, words, said):
    found = remedy(ClientSettings("critic", **SERVER), status, words)
    assert said in found and bool(said) == bool(found)


def test_a_solver_is_asked_without_a_format():
    assert remedy(ClientSettings("solver", **SERVER), 400, "bad response_format") == "Check solver_extra_body."
