"""LaTeX in a JSON string: control words that began with a JSON escape, given their backslash back.

Critics write `"x \\ne 0"` and `"\\frac{1}{2}"` with one backslash where JSON wants two, and a grammar that a server
enforces lets exactly those through that JSON knows: `\\b \\f \\n \\r \\t` and a letter. What was meant is decided so:

- Backspace and form feed are never meant, a carriage return is only before a line feed: before a letter, each is a
  control word (`\\boxed`, `\\frac`, `\\right`).
- A tab before two small letters or more is a control word (`\\textsc`, `\\tanh`). It stays a tab as an indent (at the
  start of a line, behind another tab) and before a single letter, unless TeX has that word (`\\to`, `\\text`).
- A line feed is common, so it stays one, unless TeX has that word: the relations that `n` negates (`\\nleq`, `\\nmid`)
  and the other names in `N_WORDS`; or the letters stand directly before an opening brace (`\\norm{x}`).
- Of those, `\\ne`, `\\ni`, `\\nu` and `\\nless` are also a new line with a variable or a word. Behind a space, a
  bracket or an operator, at the start of a text and in `$...$` they are control words, since no line ends there;
  elsewhere by what follows: `x\\ne 0` is unequal, while "so\\nu = 2" is a new line.

    >>> mend_latex("x \\ne 0, \\textbf{so}\\nthen y")       # where \\n and \\t are what JSON made of them
    'x \\\\ne 0, \\\\textbf{so}\\nthen y'
"""

from __future__ import annotations

import re
from collections import Counter

ESCAPED = re.compile(r"([\b\f\n\r\t])([A-Za-z]+)|[\b\f]")
LETTERS = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
T_WORDS = re.compile(
    r"t(?:an|anh|au|ag|ext[a-z]*|binom|frac|heta|herefore|hick(?:approx|sim)|hinspace|ilde|imes|iny|o|op|t"
    r"|riangle[a-z]*|wohead(?:left|right)arrow)"
)
NEGATED = (
    r"(?:e|eq|eqq|equiv|approx(?:eq)?|sim(?:eq)?|cong|mid|parallel|short(?:mid|parallel)|less|gtr|[lg]eq(?:q|slant)?"
    r"|(?:prec|succ)(?:eq|curlyeq)?|sqsu[bp]set(?:eq)?|su[bp]set(?:eqq?)?|[vV][dD]ash|(?:left|right|leftright)arrow"
    r"|(?:Left|Right|Leftright)arrow|triangle(?:left|right)(?:eq)?|exists|i)"
)
N_WORDS = re.compile(
    rf"n(?:{NEGATED}|abla|atural|eg|egthinspace|earrow|warrow|ot|otin|otag|onumber|olimits|obreak|oindent|ormal[a-z]*"
    r"|ewline|ewpage|ewcommand|u)"
)
ALSO_WORDS = {"e", "i", "u", "approx", "exists", "less", "mid", "parallel"}  # without the n: a word or a variable
GOES_ON = re.compile(r"[ \t({\[=+*<>|&^_~-]$")  # no line ends so
STARTS_A_LINE = re.compile(r"\s*[=≈]|[\^_(]|\s+[A-Za-z]{2}")
MATHS = re.compile(r"(?<!\\)\$|\\[()\[\]]")


def mend_latex(text: str) -> str:
    """The text with the backslash of every control word that a JSON parser took for an escape."""
    return ESCAPED.sub(lambda match: _mended(match, text), text)


def _mended(match: re.Match[str], text: str) -> str:
    escape, letters = match.group()[0], match.group(2)
    before, after = text[: match.start()], text[match.end() :]
    if escape in "\b\f\r":
        is_command = True
    elif escape == "\t":
        is_command = _is_after_tab(letters, before, after)
    else:
        is_command = _is_after_line_feed(letters, before, after)
    return f"\\{LETTERS[escape]}{letters or ''}" if is_command else match.group()


def _is_after_tab(letters: str, before: str, after: str) -> bool:
    if T_WORDS.fullmatch(f"t{letters}") or after.startswith("{"):
        return True
    is_indent = before.endswith(("\n", "\t"))
    return not is_indent and len(letters) > 1 and letters[0].islower()


def _is_after_line_feed(letters: str, before: str, after: str) -> bool:
    if len(letters) > 1 and after.startswith("{"):
        return True
    if not N_WORDS.fullmatch(f"n{letters}"):
        return False
    if letters not in ALSO_WORDS or not before or GOES_ON.search(before) or _is_in_maths(before):
        return True
    return len(letters) == 1 and not STARTS_A_LINE.match(after)


def _is_in_maths(before: str) -> bool:
    """Whether a formula is open at the end of a text."""
    marks = Counter(MATHS.findall(before))
    return marks["$"] % 2 == 1 or marks["\\("] > marks["\\)"] or marks["\\["] > marks["\\]"]
