r"""Find the answer in a response: of all the places where a model may put it, the last one in the text counts.

- `answer_tag`: `<answer>18</answer>`; a `\boxed{}` inside it gives the inside of the box. A tag that a sentence speaks
  of ("in the <answer> tag as asked") holds no answer.
- `boxed`: `\boxed{18}` with balanced braces; where there is none, `\fbox{18}` or `\boxed 18`.
- `hash` and `a_colon`: a line `#### 18` or `A: 18`; what follows must start like a number or a formula, so that a
  Markdown heading is no answer. Where a line goes on in words (`#### 2 ways to check`), any other answer is preferred.
- `answer_is`: "Answer: 18" or "the answer is 18", see `stated`; only where nothing else is found.
- a regular expression of the user's own, told from a name by its group: `Result: (.+)`.

Thinking is stripped first; `thinking_open` says that the prompt ended inside it, as some chat templates do. The
calculator notes of GSM8K (`<<1+1=2>>`) are passed over. Every search but one of the user's own is linear in the length
of the text, whatever the text.

    >>> extract_answer("16 - 3 = <<16-3=13>>13\nA: 13")
    '13'
    >>> extract_answer(r"\boxed{3}, no: \boxed{4}", patterns=("boxed",))
    '4'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from stepalign.core.errors import ConfigError, suggest
from stepalign.core.trace import ANSWER_CLOSE, ANSWER_OPEN, strip_thinking
from stepalign.grading.stated import ANSWER_IS, is_own, own_pattern

MAX_ANSWER_CHARS = 1000  # what is longer is no answer: no reader could check it, and it only costs the grader

_NOTE = re.compile(r"<<[^<>\n]*>>")
_BOXED, _FBOX = (
    re.compile(rf"(?P<box>\\{name}\s*\{{)|\\.|(?P<open>\{{)|(?P<close>\}})", re.DOTALL) for name in ("boxed", "fbox")
)
_NO_BRACES = re.compile(r"\\boxed(?![A-Za-z])[ \t]*(?P<value>[-+−.\d\\(][^\s$]*)")
_VALUE = r"[ \t]*(?:\*\*)?(?!\d+[.):]\s+\S)(?P<value>[-+−.\d$€£¥\\].*)$"  # not "1. Compute": a heading's number
_HASH = re.compile(r"^[ \t]*####" + _VALUE, re.MULTILINE)
_A_COLON = re.compile(r"^[ \t]*A:" + _VALUE, re.MULTILINE)


_LINE_OF_WORDS = re.compile(r"[-+$]?\d[\d.,]*\s+(?:[A-Z]\w*|\w+\s+\w)")
_ANSWER_TAG = re.compile(f"{ANSWER_OPEN.pattern}|{ANSWER_CLOSE.pattern}", re.IGNORECASE)
_NOTHING = re.compile(r"[\s.…`'\"*,;:!?)]*(?:(?:and|or|your|the|final|answer|here)\b[\s.…`'\"*,]*)*", re.IGNORECASE)
_TAG_WORD = re.compile(r"[`'\"]?\s*(?:tag|block|element|section|marker|field)s?\b", re.IGNORECASE)
_MID_SENTENCE = re.compile(r"[A-Za-z,] +$")
_WORD, _WORDS = re.compile(r"\s*[a-z]+[,.]?\s"), re.compile(r"\s*[a-z]\w*[,.]?\s+[a-z]")


class _Found(NamedTuple):
    is_clear: bool
    start: int
    text: str


def extract_answer(text: str, patterns: Sequence[str] | None = None, *, thinking_open: bool = False) -> str | None:
    """The last answer in the response, stripped; None where there is none or it is longer than MAX_ANSWER_CHARS.

    Args:
        text: the response, with or without its thinking.
        patterns: names from ANSWER_PATTERNS or regular expressions, in any order; None is all that have a name.
        thinking_open: the prompt ended inside `<think>`; a response that never closes it has no answer.
    Raises:
        ConfigError: an unknown pattern.
    """
    body = _NOTE.sub("", strip_thinking(text, thinking_open=thinking_open))
    found = [answer for find in _finders(patterns) if (answer := find(body)) is not None]
    if not found:
        return None
    answer = max(found).text
    return answer if len(answer) <= MAX_ANSWER_CHARS else None


def unbox(text: str) -> str:
    r"""The inside of the last `\boxed{}`, or the text itself, stripped."""
    box = _in_box(text)
    return box.text if box else text.strip()


def check_patterns(patterns: Sequence[str] | None) -> None:
    """Raises a ConfigError for an unknown pattern or none at all."""
    _finders(patterns)


def _finders(patterns: Sequence[str] | None) -> list[Callable[[str], _Found | None]]:
    names = ANSWER_PATTERNS if patterns is None else patterns
    if not names:
        raise ConfigError(f"no answer patterns; expected at least one of: {', '.join(ANSWER_PATTERNS)}.")
    for name in names:
        if name not in _FINDERS and not is_own(name):
            more = " A regular expression of your own has a group around the answer: 'Result: (.+)'."
            raise ConfigError(f"unknown answer pattern '{name}'{suggest(name, ANSWER_PATTERNS)}{more}")
    return [_FINDERS[name] if name in _FINDERS else partial(_by_own, own_pattern(name)) for name in names]


def _in_tag(text: str) -> _Found | None:
    """The last `<answer>` with something in it; without a close tag it runs to the end, as in a trace."""
    found: _Found | None = None
    opened: re.Match[str] | None = None
    for tag in _ANSWER_TAG.finditer(text):
        if "/" not in tag[0]:
            opened = tag
        elif opened is not None:
            content = text[opened.end() : tag.start()]
            found = found if _is_talk(content) else _Found(True, opened.start(), unbox(content))
            opened = None
    if opened is not None:
        content = text[opened.end() :]
        words = _WORD if found else _WORDS
        in_sentence = _MID_SENTENCE.search(text, max(0, opened.start() - 20), opened.start()) and words.match(content)
        if not in_sentence and not _is_talk(content):
            return _Found(True, opened.start(), unbox(content))
    return found


def _is_talk(content: str) -> bool:
    """Whether what stands between tags shows that a sentence speaks of the tags: "`<answer>` and `</answer>`"."""
    return bool(_TAG_WORD.match(content) or (len(content) < 100 and _NOTHING.fullmatch(content)) or not content.strip())


def _in_box(text: str) -> _Found | None:
    r"""The last `\boxed{}` that is closed and not empty, else the last `\fbox{}`, else the last `\boxed 18`."""
    if (found := _last_in(_BOXED, text) or _last_in(_FBOX, text)) is not None:
        return found
    values = [(match.start(), match["value"].rstrip(".,;")) for match in _NO_BRACES.finditer(text)]
    return max((_Found(True, start, value) for start, value in values if value), default=None)


def _last_in(braces: re.Pattern[str], text: str) -> _Found | None:
    """What is in the last box that is closed and not empty; of nested ones the innermost."""
    last: _Found | None = None
    unclosed: list[re.Match[str]] = []
    for token in braces.finditer(text):
        if token["box"] or token["open"]:
            unclosed.append(token)
        elif token["close"] and unclosed:
            opened = unclosed.pop()
            if opened["box"] and (last is None or opened.start() > last.start):
                content = text[opened.end() : token.start()].strip()
                last = _Found(True, opened.start(), content) if content else last
    return last


def _on_line(pattern: re.Pattern[str], text: str, is_clear: bool = True) -> _Found | None:
    lines = [(line.start(), line["value"].strip(" \t\r*")) for line in pattern.finditer(text)]
    found = (_Found(is_clear and not _LINE_OF_WORDS.match(value), start, value) for start, value in lines)
    return max(found, default=None)


def _by_own(pattern: re.Pattern[str], text: str) -> _Found | None:
    group = "answer" if "answer" in pattern.groupindex else 1
    found = [_Found(True, match.start(), match[group].strip()) for match in pattern.finditer(text) if match[group]]
    return found[-1] if found else None


_FINDERS: dict[str, Callable[[str], _Found | None]] = {
    "answer_tag": _in_tag,
    "boxed": _in_box,
    "hash": lambda text: _on_line(_HASH, text),
    "a_colon": lambda text: _on_line(_A_COLON, text),
    "answer_is": lambda text: _on_line(ANSWER_IS, text, is_clear=False),
}
ANSWER_PATTERNS = tuple(_FINDERS)
