r"""One spelling for answers: what models write in Unicode, Markdown and LaTeX, without what carries no meaning.

`normalize` gives ASCII LaTeX in which
- Unicode mathematics is LaTeX (`√3` is `\sqrt{3}`, `x²` is `x^{2}`, `½` is `\frac{1}{2}`, `≤` is `\le`), dashes are
  minus signs, and full-width and mathematical letters and digits are ASCII;
- upright text is quoted (`\text{cm}` and `\mathrm{cm}` are `"cm"`), for the readers of units and words;
- bold, colour, boxes, spaces, dollar signs, code fences, introductions ("Answer:", "about", "=") and closing marks are
  gone;
- a repeating decimal is `0.1\overline{6}` however its period was marked.

    >>> normalize("**≈ ７０,０００ $**")
    '70,000'
    >>> print(normalize(r"\boldsymbol{2√3}\,\text{cm}"))
    {2\sqrt {3}} "cm"
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_SIGNS = {
    "\\times ": "×✕✖⨯", "\\cdot ": "·⋅∙•‧・", "/": "÷⁄∕／", "-": "−‐‑‒–—―﹣－ー", "'": "′’‘", "''": "″",
    "\\infty ": "∞",
    "\\le ": "≤⩽≦", "\\ge ": "≥⩾≧", "\\ne ": "≠", "\\approx ": "≈≃≅", "\\in ": "∈", "\\notin ": "∉", "\\cup ": "∪⋃",
    "\\cap ": "∩⋂", "\\emptyset ": "∅⌀", "\\setminus ": "∖", "\\pm ": "±", "\\mp ": "∓", "\\mathbb{R}": "ℝ",
    "\\mathbb{Z}": "ℤ", "\\mathbb{N}": "ℕ", "\\mathbb{Q}": "ℚ", "\\mathbb{C}": "ℂ", "^\\circ ": "°º˚", ",": "、，،",
    ";": "；", ":": "：∶", ".": "。．", "...": "…⋯", "\\lor ": "∨", "\\land ": "∧",
    "\\langle ": "⟨〈", "\\rangle ": "⟩〉",
    "\\lfloor ": "⌊", "\\rfloor ": "⌋", "\\lceil ": "⌈", "\\rceil ": "⌉", "\\partial ": "∂", "\\angle ": "∠",
    "\\triangle ": "△", "\\hbar ": "ℏħ", "\\ell ": "ℓ", "\\mu ": "µ", "\\phi ": "ϕ", "\\epsilon ": "ϵ", "\\theta ": "ϑ",
    "\\sqrt ": "√", "\\sqrt[3]": "∛", "\\sqrt[4]": "∜",
    " ": "\u2061\u2062\u2063\u00a0", "": "\u200b\u200c\u200d\u2060\ufeff",
    "(": "（", ")": "）", "[": "［【", "]": "］】", "\\{": "｛", "\\}": "｝", "\\to ": "→", "\\implies ": "⇒",
}  # fmt: skip
_SIGN = {ord(sign): spelling for spelling, signs in _SIGNS.items() for sign in signs}
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱˣ", "0123456789+-()nix", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ₙₓᵢⱼₖₘ", "0123456789+-nxijkm", strict=True))
_RAISED = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_LOWERED = re.compile(f"[{''.join(_SUBSCRIPTS)}]+")
_OVERLINED = re.compile("(?:\\d\u0305)+")
_ROOT = re.compile(r"√\s*(\d+(?:\.\d+)?|[^\W\d_])")

_NAMED = "|".join(
    """displaystyle textstyle scriptstyle limits hfill noindent centering bf it rm sf tt tiny small large
    Large LARGE huge Huge qed blacksquare checkmark ensuremath underbrace overbrace mathbf mathtt
    boldsymbol bm mathit pmb emph underline uline boxed fbox cancel""".split()  # noqa: SIM905
)
_CURRENCY = r"(?:USD|EUR|GBP|INR|CNY|RMB)"
_SIZES = r"left|right|[bB]igg?[lrm]?"
_UPRIGHT = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal|up)?|mathrm|mathsf|mbox|hbox|operatorname\*?)\s*\{((?:[^{}\"]|\{[^{}\"]*\})*)\}"
)
# applied in order; each rewrites a way of writing that carries no meaning
_REWRITES = [
    (re.compile(r"(?<=\d)(?:\\,|,\\!|\\!|\{,\}|\{\\,\})(?=\d{3}(?!\d))"), ""),  # 1{,}000
    (re.compile(r"(?<![A-Za-z\d{}\\])```[a-z]*\s|```"), " "),
    (re.compile(r"\\(?:text|f)?color(?:box)?\s*(?:\[\w*\])?\s*\{\s*[A-Za-z]\w*\s*\}"), ""),
    (re.compile(r"\\(?:[hv]space|phantom|label|tag)\*?\s*\{[^{}]*\}"), " "),
    (_UPRIGHT, r'"\1"'),
    (_UPRIGHT, r'"\1"'),  # upright inside upright
    (re.compile(r"<(b|i|u|em|strong|code)>(.*?)</\1>"), r"\2"),
    (re.compile(r"(?<=\d)['_](?=\d{3}(?!\d))|(?<=\d)/-\s*$"), ""),  # 70'000, Rs. 70,000/-
    (re.compile(r"\(\s*([\dA-F]+)\s*\)\s*_(?=\s*[{\d])"), r"\1_"),  # (2516)_8
    (re.compile(r"\\(?:mathrm|operatorname)\s+([A-Za-z])(?![A-Za-z])"), r'"\1"'),
    (re.compile(r"\{\\rm\s+([^{}\"]*)\}"), r'"\1"'),
    (re.compile(rf"\\(?:{_SIZES})(?![A-Za-z])\s*\.?|\\(?:{_NAMED})(?![A-Za-z])|\\[!/]|\\square\s*$|\\Box\s*$"), ""),
    (re.compile(r"\\(?:q?quad|thinspace|enspace|space)(?![A-Za-z])|(?<!\\)\\[,;:()\[\] ]|~"), " "),
    (re.compile(r"\\?\$|[€£¥₹₩₽¢]"), " "),
    (re.compile(rf"(?<![A-Za-z])(?:Rs\.?|US|{_CURRENCY})(?=[\s\"]*\d)|(?<=\d)\s*{_CURRENCY}$"), " "),
    (re.compile(r"\s+"), " "),
    (re.compile(r"\{\s*([:=<>+\-])\s*\}"), r"\1"),  # 10{:}30
    (re.compile(r"\"\s*\"|\\mkern\d+mu"), " "),
    (re.compile(r"\^\s*\{?\s*\\prime\s*\}?"), "'"),
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\%|\"\s*%\s*\"|(?<=[\d})])\s*\"?\s*(?:percent|per cent|pct)\s*\"?(?![A-Za-z])"), "%"),
    (re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ)|\\degree(?![A-Za-z])"), r"^\\circ "),
    (re.compile(r"(\.\d*)\\dot\s*\{?(\d)\}?(?:(\d*)\\dot\s*\{?(\d)\}?)?"), r"\1\\overline{\2\3\4}"),
    (re.compile(r"(\d*\.\d*)(?:\\bar|\\overline)\s*\{?\s*(\d+)\s*\}?"), r"\1\\overline{\2}"),
    (re.compile(r"(?<![\d.])(\d*\.\d*)\((\d+)\)(?![\d.])"), r"\1\\overline{\2}"),
    (re.compile(r"(?<!\d)(\d*\.\d*?)(?:(\d)\2\2+|(\d{2,6})\3+)\s*(?:\.\.\.|\\[lc]?dots)"), r"\1\\overline{\2\3}"),
    (re.compile(r"(?<=[\w)}])\*\*(?=[\w(\-])"), "^"),
    (re.compile(r"\"?\s*\(?\s*(?:in\s+)?base[\s-]*\"?\s*(\d+|[a-z]+)\s*\"?\s*\)?\s*\"?$"), r"_{\1}"),
    (re.compile(r"\"?\s*all (?:the )?real(?: number)?s?\s*\"?"), r"\\mathbb{R}"),
    (re.compile(r"\"?\s*(?:the )?empty set\s*\"?"), r"\\emptyset "),
    (re.compile(r"\s+"), " "),
]  # fmt: skip
_OPENING = re.compile(
    r"(?:(?:\"\s*)?(?:(?:so|thus|hence|therefore),?\s+)?(?:the\s+)?(?:final\s+|correct\s+)?(?:answer|ans|result)"
    r"(?:\s+is)?\s*(?::|=|(?<=is))\s*\"?"
    r"|(?:is|equals|\\implies|\\Rightarrow|\\to)(?=[^A-Za-z])"
    r"|\"?\s*(?:approximately|approx\.?|about|around|roughly|nearly)\s*\"?(?=[\s\d\\$.-])"
    r"|答案\s*(?:是|为|:)?|(?:大约|约|等于)(?=\s*[\d-])|=|\\approx(?![A-Za-z])|\\therefore(?![A-Za-z])|\\sim(?:eq)?(?![A-Za-z])|[≈:])\s*",
    re.IGNORECASE,
)
_ENCLOSED = re.compile(r"'[^']*'|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\"[^\"]*\"")
_CLOSING = re.compile(r"[\s\"(]*\b(?:approx(?:imately|\.)?|Q\.?E\.?D\.?)[\s\")]*$")
_SIMPLE = re.compile(r"[-+]?\d+(?:\.\d+)?")


@lru_cache(maxsize=8192)
def normalize(text: str) -> str:
    """The answer in one spelling (see the module), so that equal texts are equal answers."""
    if _SIMPLE.fullmatch(text):
        return text
    if not text.isascii():
        text = _to_ascii(text)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = _without_ends(text)
    while opening := _OPENING.match(text):
        text = _without_ends(text[opening.end() :])
    return text


def _without_ends(text: str) -> str:
    """Without Markdown and punctuation at the ends, and without braces around the whole."""
    while True:
        before = text
        text = re.sub(r"(?:\.{3}|\\[lc]?dots)$", "", text) if re.fullmatch(r"-?\d*\.\d+\D+", text) else text
        text = _CLOSING.sub("", text.strip(" `*_")).rstrip(" .,;:`*_")
        text = text[1:-1] if _ENCLOSED.fullmatch(text) else text
        if text == before:
            return text


def _to_ascii(text: str) -> str:
    text = _OVERLINED.sub(lambda m: rf"\overline{{{m[0].replace(chr(0x305), '')}}}", text)
    text = _RAISED.sub(lambda m: f"^{{{''.join(_SUPERSCRIPTS[c] for c in m[0])}}}", text)
    text = _LOWERED.sub(lambda m: f"_{{{''.join(_SUBSCRIPTS[c] for c in m[0])}}}", text)
    text = _ROOT.sub(r"√{\1}", text)
    return "".join(character if character.isascii() else _spell(character) for character in text)


@lru_cache(maxsize=1024)
def _spell(character: str) -> str:
    if ord(character) in _SIGN:
        return _SIGN[ord(character)]
    if (digit := unicodedata.decimal(character, None)) is not None:
        return str(digit)
    name = unicodedata.name(character, "")
    if name.startswith("VULGAR FRACTION"):
        above, below = unicodedata.normalize("NFKC", character).split("⁄")
        return rf"\frac{{{above}}}{{{below}}}"
    plain = unicodedata.normalize("NFKC", character)
    if plain != character:
        return "".join(c if c.isascii() else _spell(c) for c in plain)
    greek = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (?:FINAL )?(\w+)", name)
    if greek:
        letter = "lambda" if greek[2] == "LAMDA" else greek[2].casefold()
        return rf"\{letter if greek[1] == 'SMALL' else letter.title()} "
    return {"Zs": " ", "So": ""}.get(unicodedata.category(character), character)  # So: a tick, a box
