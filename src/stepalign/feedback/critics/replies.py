"""Reads chat completions and what is inside them, trusting nothing.

parse_completion(body, "application/json")               # Reply, or Transient("bad_reply")
parse_object('Here: ```json\n{"case": "A"}\n```')        # {"case": "A"}, or Rejected("not_json")
"""

from __future__ import annotations

import json
import re
from typing import Any

from stepalign.core.trace import strip_thinking
from stepalign.feedback.critics.critic import Rejected
from stepalign.feedback.critics.retries import Transient
from stepalign.feedback.critics.writer import Reply

MOST_OPENINGS = 200  # places where an object may begin that are tried in one reply
BACKSLASH = re.compile(r'\\\\|\\(?!["/bfnrt]|u[0-9a-fA-F]{4})')  # a pair, or one that begins no JSON escape
# "\frac" in a JSON string is a form feed and "rac". Form feed and backspace are never meant; the other three are meant
# unless the letters after them complete a LaTeX command.
EATEN = re.compile(
    "\f|\b|\t(?=(?:imes|ext|heta|an|o|frac|au|riangle)(?![a-z]))|\r(?=(?:ho|ight|angle|ightarrow|ceil|floor)(?![a-z]))"
    "|\n(?=(?:eq|abla|ot|otin)(?![a-z]))"
)
NAMES = {"\f": "\\f", "\b": "\\b", "\t": "\\t", "\r": "\\r", "\n": "\\n"}


def parse_completion(body: bytes, content_type: str) -> Reply:
    """The first choice of a chat completion.

    Raises:
        Transient: not decodable, not JSON, or not of that shape.
    """
    charset = re.search(r"charset=\"?([\w.-]+)", content_type, re.IGNORECASE)
    try:
        data = json.loads(body.decode(charset.group(1)) if charset else body)
        choice = data["choices"][0]
        content = choice["message"].get("content")
        if isinstance(content, list):
            content = "".join(part.get("text") or "" for part in content)
        if not isinstance(content, str | None):
            raise TypeError("content is no text")
    except RecursionError:
        raise Transient("bad_reply", "nested too deeply") from None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Transient("bad_reply", say_error(body)) from None
    usage = data.get("usage")
    counts = [(usage.get(name) if isinstance(usage, dict) else None) for name in ("prompt_tokens", "completion_tokens")]
    tokens_in, tokens_out = (n if type(n) is int and n >= 0 else None for n in counts)
    return Reply(content or "", str(choice.get("finish_reason") or "stop"), tokens_in, tokens_out)


def say_error(body: bytes) -> str:
    """The server's own words on what is wrong, short enough for a message."""
    text = body[:4000].decode("utf-8", "replace")
    try:
        error = json.loads(body)
        for name in ("error", "message", "detail"):
            error = error.get(name, error) if isinstance(error, dict) else error
        text = error if isinstance(error, str) else json.dumps(error)
    except (ValueError, RecursionError):
        pass
    return " ".join(text.split())[:300]


def visible(reply: Reply) -> str:
    """The reply without its thinking.

    Raises:
        Rejected: "cut_off" by the token limit, or "empty".
    """
    if reply.finish_reason == "length":
        raise Rejected("cut_off")
    text = strip_thinking(reply.text).strip()
    if not text:
        raise Rejected("empty")
    return text


def parse_object(text: str) -> dict[str, Any]:
    """The first JSON object with a "case" in a text, repaired where LaTeX was written with single backslashes.

    Raises:
        Rejected: "not_json" if there is no object at all, "wrong_shape" if none has a case.
    """
    found = False
    for candidate in (text, BACKSLASH.sub(r"\\\\", text)):
        for opening in list(re.finditer(r"\{", candidate))[:MOST_OPENINGS]:
            try:
                value, _ = json.JSONDecoder(strict=False).raw_decode(candidate, opening.start())
            except (ValueError, RecursionError):
                continue
            found = True
            if "case" in value:
                return value
    raise Rejected("wrong_shape" if found else "not_json")


def mend_latex(text: str) -> str:
    """LaTeX commands whose first letter was read as a JSON escape, restored."""
    return EATEN.sub(lambda match: NAMES[match.group()], text)
