"""What kind of text a token is: digits, operators, words, tags, hedges, or none of these.

    >>> token_classes(["<", "step", "_1", ">", "Wait", ",", " 12", " \\\\", "times", " 3", " apples", "\\n"])
    ['tag', 'tag', 'tag', 'tag', 'hedge', 'other', 'digit', 'operator', 'operator', 'digit', 'word', 'other']

Tags, hedges and LaTeX commands are found in the whole text, since most tokenizers split them; a token belongs to what
its first visible character lies in. Otherwise its own characters decide: a token with a digit is a digit, one with a
letter a word, one with a sign of arithmetic or comparison an operator. The rest is punctuation and white space.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, get_args

TokenClass = Literal["digit", "operator", "word", "tag", "hedge", "other"]
TOKEN_CLASSES: tuple[TokenClass, ...] = get_args(TokenClass)

HEDGES = (
    *(
        "wait",
        "hmm+",
        "maybe",
        "perhaps",
        "possibly",
        "probably",
        "presumably",
        "apparently",
        "actually",
        "alternatively",
    ),
    *("hold on", "on second thought", "not sure", "i think", "i guess", "i believe", "it seems", "seems like"),
    "let me (?:check|double[- ]check|see|think|verify|re-?check|reconsider|try again)",
)
SPANS: dict[TokenClass, re.Pattern[str]] = {
    "tag": re.compile(r"</?[A-Za-z][\w-]*\s*/?>"),
    "hedge": re.compile(rf"\b(?:{'|'.join(HEDGES)})\b", re.IGNORECASE),
    "operator": re.compile(r"\\[A-Za-z]+"),
}
WORD = re.compile(r"[^\W\d_]+")
OPERATOR = re.compile(r"[-+*/=<>^%|~\\×÷·⋅−–±≤≥≠≈√∑∏∫→⇒∧∨¬]")


def token_class(text: str) -> TokenClass:
    """The class of one token by itself.

    >>> token_class(" 42"), token_class("="), token_class("Perhaps"), token_class("<answer>")
    ('digit', 'operator', 'hedge', 'tag')
    """
    return token_classes([text])[0]


def token_classes(tokens: Sequence[str]) -> list[TokenClass]:
    """The class of each token; `tokens` joined are the text."""
    spans = _spans("".join(tokens))
    classes: list[TokenClass] = []
    at = 0
    for token in tokens:
        first = at + len(token) - len(token.lstrip())
        kind = _own_class(token)
        for start, end, name in spans:
            if start <= first < end and token.strip():
                kind = name
        classes.append(kind)
        at += len(token)
        while spans and spans[0][1] <= at:
            spans.pop(0)
    return classes


def hedge_rate(texts: Sequence[str]) -> float | None:
    """Hedging phrases a word of all texts together, tags aside; None where there are no words.

    >>> hedge_rate(["Wait, let me check: 2 + 2 is 4, so it is all right."])
    0.2
    """
    plain = [SPANS["tag"].sub(" ", text) for text in texts]
    num_words = sum(len(WORD.findall(text)) for text in plain)
    num_hedges = sum(len(SPANS["hedge"].findall(text)) for text in plain)
    return num_hedges / num_words if num_words else None


def _spans(text: str) -> list[tuple[int, int, TokenClass]]:
    """Where tags, hedges and commands lie, in order, none within another."""
    found: list[tuple[int, int, TokenClass]] = []
    for name, pattern in SPANS.items():
        found.extend((match.start(), match.end(), name) for match in pattern.finditer(text))
    found.sort(key=lambda span: span[:2])
    spans: list[tuple[int, int, TokenClass]] = []
    for span in found:
        if not spans or span[0] >= spans[-1][1]:
            spans.append(span)
    return spans


def _own_class(token: str) -> TokenClass:
    if any(character.isdigit() for character in token):
        return "digit"
    if any(character.isalpha() for character in token):
        return "word"
    return "operator" if OPERATOR.search(token) else "other"
