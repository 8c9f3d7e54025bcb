r"""The tokens of a formula in normalized spelling, and its readings where a comma may be one of two things.

LaTeX and plain text share one alphabet: `\sin` and `sin`, `\pi` and `pi` are one token. Letters that stand together are
single symbols (`mgh`), unless they are a name (`sin`), a joining word (`or`) or a word (`Area`).

    >>> " ".join(token.text for token in tokenize(r"2pi r^{2}"))
    '2 \\pi r ^ { 2 }'
    >>> readings("2,500")
    ['2500', '2, 500']
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

GREEK = frozenset(
    """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron rho sigma tau
    upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega Pi""".split()  # noqa: SIM905
)
FUNCTIONS = frozenset(
    """sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sinh cosh tanh coth arcsinh
    arccosh arctanh ln log lg exp gcd lcm max min abs floor ceil Re Im arg""".split()  # noqa: SIM905
)
_SAME = {
    "varepsilon": "epsilon", "varphi": "phi", "vartheta": "theta", "varrho": "rho", "varsigma": "sigma", "asin":
    "arcsin", "acos": "arccos", "atan": "arctan", "arsinh": "arcsinh", "arcosh": "arccosh", "artanh": "arctanh",
    "tg": "tan", "ctg": "cot", "leq": "le", "leqslant": "le", "geq": "ge", "geqslant": "ge", "neq": "ne",
    "varnothing": "emptyset", "lt": "<", "gt": ">", "ast": "*", "div": "/", "colon": ":", "lor": "or", "vee": "or",
    "land": "and", "wedge": "and", "lvert": "|", "rvert": "|", "vert": "|", "mid": "|", "lbrace": r"\{", "rbrace":
    r"\}", "lbrack": "[", "rbrack": "]", "lparen": "(", "rparen": ")", "imath": "i", "jmath": "j", "infinity":
    "infty", "oo": "infty", "inf": "infty", "dbinom": "binom", "tbinom": "binom", "ldots": "dots", "cdots": "dots",
    "bar": "overline", "overrightarrow": "vec", "widehat": "hat", "widetilde": "tilde", "backslash": "setminus",
    "smallsetminus": "setminus", "bigcup": "cup", "bigcap": "cap", "sim": "approx", "simeq": "approx", "approxeq":
    "approx", "prime": "'", "mathrm": "", "text": "", "mathcal": "cal", "mathscr": "cal", "mathfrak": "frak", "Bbb":
    "mathbb", "arrow": "to", "rightarrow": "to", "union": "cup",
}  # fmt: skip
_PLAIN_NAMES = (
    (FUNCTIONS - {"Re", "Im", "arg"})
    | (GREEK - {"Pi"})
    | {"pi", "sqrt", "infinity", "inf", "oo", "asin", "acos", "atan", "union", "cbrt"}
)
_JOINING = frozenset(("or", "and", "in"))

_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<based>(?:\d[\dA-F]*[A-F][\dA-F]*|[A-F][\dA-F]+)(?=\s*_\s*\{?\s*(?:1[1-9]|[2-3]\d)\s*(?:\}|(?!\d))))"
    r"|(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:\\overline\{\d+\})?(?:[eE][-+]?\d+(?![\dA-Za-z]))?)"
    r"|\\(?P<command>[A-Za-z]+)|(?P<break>\\\\)|(?P<brace>\\[{}|])|(?P<quoted>\"[^\"]*\")"
    r"|(?P<letters>[^\W\d_]+)|(?P<relation><=|>=|!=|==|=<)|(?P<sign>[-+*/^_=<>()\[\]{}|,;:!'&%.])|(?P<other>.)"
)
_RELATIONS = {"<=": r"\le", "=<": r"\le", ">=": r"\ge", "!=": r"\ne", "==": "="}
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d|,\d)")


class NoFormula(Exception):
    """The text is no formula of the grammar."""


class Token(NamedTuple):
    """A token. `kind` is number, letter, word, command or sign; a command's text begins with a backslash."""

    kind: str
    text: str
    spaced: bool = False  # whether a space stands before it


END = Token("end", "")


class Cursor:
    """The tokens of a formula and how far they are read."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = list(tokens)
        self.at = 0

    @property
    def next(self) -> Token:
        """The next token, END behind the last."""
        return self.tokens[self.at] if self.at < len(self.tokens) else END

    def take(self, text: str | None = None) -> Token:
        """Read a token, the one with the text if it is given; anything else is no formula."""
        token = self.next
        if token is END or (text is not None and token.text != text):
            raise NoFormula(f"{token.text or 'the end'} in place of {text or 'a term'}")
        self.at += 1
        return token

    def takes(self, *texts: str) -> bool:
        """Read the next token if it is one of the texts."""
        found = self.next is not END and self.next.text in texts
        self.at += found
        return found

    def text_of_argument(self) -> str:
        """The next token or group as a text, for names, subscripts and bases."""
        if not self.takes("{"):
            return self.take().text.lstrip("\\")
        depth, parts = 1, []
        while True:
            token = self.take()
            depth += (token.text == "{") - (token.text == "}")
            if depth == 0:
                return "".join(parts)
            parts.append(token.text.lstrip("\\") if token.text not in "{}" else "")


def tokenize(text: str) -> list[Token]:
    """The tokens of a normalized text.

    Raises:
        NoFormula: it has a character that no formula has.
    """
    tokens: list[Token] = []
    spaced = False
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "space":
            spaced = True
            continue
        if kind == "other":
            raise NoFormula(f"no formula has {match[0]!r}")
        new = _tokens(str(kind), match[match.lastgroup or 0], tokens, text[match.end() :])
        tokens += [token._replace(spaced=spaced) if i == 0 else token for i, token in enumerate(new)]
        spaced = False
    return tokens


def readings(text: str) -> list[str]:
    r"""What a text may mean where a comma stands between a digit and three digits, the likelier reading first.

    By itself, or beside commas with a space, such a comma groups thousands; in brackets without a space it separates.
    The other reading is the second: "100,200" may be two numbers when the other answer is.
    """
    if not _GROUPED.search(text):
        return [text]
    joined = _GROUPED.sub(lambda m: m[0].replace(",", ""), text)
    apart = re.sub(r",(?=\S)", ", ", text)
    bracketed = re.search(r"[(\[{][^()\[\]{}]*\d,\d{3}", text)
    if bracketed:
        return [joined, apart] if re.search(r",\s", text) or re.search(r"\d{4}|;", text) else [apart]
    return [joined, apart]


def _tokens(kind: str, text: str, before: list[Token], after: str) -> list[Token]:
    if kind in ("number", "based"):
        return [Token("number", text)]
    if kind == "command":
        return _command(text)
    if kind == "quoted":
        return _upright(text.strip('" '))
    if kind == "letters":
        return _letters(text, before, after)
    if kind == "relation":
        return [Token("command", _RELATIONS[text]) if text in _RELATIONS and text != "==" else Token("sign", "=")]
    return [Token("sign", r"\|" if text == r"\|" else text)]


def _command(name: str) -> list[Token]:
    name = _SAME.get(name, name)
    if name in ("or", "and", "in"):
        return [Token("command", "\\" + name)]
    if name == "cbrt":
        return tokenize(r"\sqrt[3]")
    if not name:
        return []
    if name.isalpha() and len(name) > 1:
        return [Token("command", "\\" + name)]
    return [Token("letter" if name.isalpha() else "sign", name)]


def _upright(text: str) -> list[Token]:
    """The tokens of a quoted text: a name or a letter, a word, or a short formula."""
    if text == "to":
        return [Token("sign", ":")]
    if text.casefold() in _JOINING:
        return [Token("command", "\\" + text.casefold())]
    if text in _PLAIN_NAMES | FUNCTIONS:
        return _command(text)
    if re.fullmatch(r"[^\W\d_]{2,}(?:[ -][^\W\d_]+)*", text) and not re.fullmatch("[A-Z]{2,4}", text):
        return [Token("word", " ".join(text.split()))]
    return tokenize(text)


def _letters(run: str, before: list[Token], after: str) -> list[Token]:
    if run in _JOINING and run != "in":
        return [Token("command", "\\" + run)]
    if run in ("x", "X") and before and before[-1].kind == "number" and re.match(r"\s*\d", after):
        return [Token("command", r"\times")]
    if run == "to" and before and before[-1].kind == "number":
        return [Token("sign", ":")]
    if run == "U" and before and before[-1].text in (")", "]") and re.match(r"\s*[(\[]", after):
        return [Token("command", r"\cup")]
    if run in _PLAIN_NAMES:
        return _command(run)
    for name in sorted(_PLAIN_NAMES, key=len, reverse=True):  # "xln", "pir"
        if len(name) > 1 and len(run) - len(name) <= 2:
            if run.endswith(name) and name in FUNCTIONS | {"sqrt", "pi"}:
                return [*_letters(run[: -len(name)], before, name), *_command(name)]
            if run.startswith(name) and name in ("pi",):
                return [*_command(name), *_letters(run[len(name) :], [], after)]
    if len(run) > 3 and re.search("[aeiou]", run):
        return [Token("word", run)]
    return [Token("letter", letter) for letter in run]
