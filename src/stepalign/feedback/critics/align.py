"""Which of the critic's steps are the solver's own, so that they can be given the solver's exact text.

A step is near-verbatim when nothing in it that carries meaning differs: the same numbers, operators, symbols, LaTeX
commands and short words in the same order, and of the longer words at most a slip of one letter each; and when the two
texts, white space and letter case aside, are alike by at least 0.9 (twice the length of their longest common
subsequence, over both lengths). So "47+38=75" is never taken for "47+38=85": a wrong snap would put the solver's error
back, a missed one costs a little alignment.

    >>> align(["2 + 2 = 4", "so 5"], ["2 + 2  = 4", "so 4"])
    [CritiqueStep(text='2 + 2 = 4', origin='copied'), CritiqueStep(text='so 4', origin='rewritten')]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rapidfuzz.distance import Indel

from stepalign.core.critique import CritiqueStep
from stepalign.core.trace import STEP_TAG

SIMILARITY = 0.9
SLIP_LENGTH = 5  # letters a word must have before a slip in it is taken for a slip
TOKEN = re.compile(r"\d+(?:[.,]\d+)*|\\[A-Za-z]+|[^\W\d_]+|\S")
TYPOGRAPHY = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "−": "-", "–": "-", "×": "*", "·": "*", "÷": "/"})
IGNORED = frozenset('.,;"')


def near_verbatim(a: str, b: str) -> bool:
    """Whether two steps say the same in the same words; see the module for what that means."""
    if a == b:
        return True
    tokens_a, tokens_b = _tokens(a), _tokens(b)
    if len(tokens_a) != len(tokens_b) or not tokens_a:
        return False
    if not all(x == y or _is_slip(x, y) for x, y in zip(tokens_a, tokens_b, strict=True)):
        return False
    return Indel.normalized_similarity(" ".join(tokens_a), " ".join(tokens_b)) >= SIMILARITY


def align(
    solver: Sequence[str], critic: Sequence[str], same: Callable[[str, str], bool] = near_verbatim
) -> list[CritiqueStep]:
    """Mark the critic's steps: copied (with the solver's text), rewritten (in the place of one), or inserted.

    `same` says of a solver's and a critic's step whether they are one; of lines of a program only equal ones are.

    Copies keep the order of the solver's steps. Between two copies, as many steps as the solver had there count as
    rewritten, the others as inserted.
    """
    result: list[CritiqueStep] = []
    at = 0  # solver's steps passed by
    gap: list[str] = []
    for text in critic:
        match = next((i for i in range(at, len(solver)) if same(solver[i], text)), None)
        if match is None:
            gap.append(text)
            continue
        result += _fill(gap, match - at)
        result.append(CritiqueStep(solver[match], "copied"))
        at, gap = match + 1, []
    return result + _fill(gap, len(solver) - at)


def num_leading_copies(solver: Sequence[str], steps: Sequence[CritiqueStep]) -> int:
    """How many of the solver's steps stand unchanged from the start."""
    count = 0
    for text, step in zip(solver, steps, strict=False):
        if step.origin != "copied" or step.text != text:
            break
        count += 1
    return count


def _fill(texts: Sequence[str], num_replaced: int) -> list[CritiqueStep]:
    return [CritiqueStep(text, "rewritten" if i < num_replaced else "inserted") for i, text in enumerate(texts)]


def _tokens(text: str) -> list[str]:
    found = TOKEN.findall(STEP_TAG.sub(" ", text).translate(TYPOGRAPHY))
    return [
        token.casefold() if len(token) > 1 and token[0] != "\\" else token for token in found if token not in IGNORED
    ]


def _is_slip(a: str, b: str) -> bool:
    """One letter added, left out or changed in a longer word, not at its start."""
    if not (a.isalpha() and b.isalpha() and min(len(a), len(b)) >= SLIP_LENGTH and a[0] == b[0]):
        return False
    if abs(len(a) - len(b)) > 1:
        return False
    i = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return a[i + (len(a) >= len(b)) :] == b[i + (len(b) >= len(a)) :]
