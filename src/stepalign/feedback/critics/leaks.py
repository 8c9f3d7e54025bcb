"""A critique that speaks of the ground truth leaks it: the teacher would then imitate a solver who was told the answer.

Only the critic's own words are searched; steps copied from the solver are the solver's.

    is_leak(["By the reference solution, x = 4"], problem="Solve x + 1 = 5")        # True
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# "reference angle" and the like are mathematics
REFERENCE = (
    r"\breferences?\b(?!\s+(?:angles?|frames?|points?|lines?|planes?|levels?|temperatures?|triangles?|axis|axes)\b)"
)
OTHERS = (
    r"\bground[\s-]*truth\b",
    r"\banswer[\s-]keys?\b",
    r"\b(?:given|provided|supplied|official|known|expected|stated)\s+(?:correct\s+)?(?:final\s+)?(?:answer|solution)\b",
)
LEAK = re.compile("|".join((REFERENCE, *OTHERS)), re.IGNORECASE)


def is_leak(texts: Iterable[str], problem: str) -> bool:
    """Whether any text speaks of a reference or ground truth in words that the problem does not use itself."""
    own = {match.group().casefold() for match in LEAK.finditer(problem)}
    return any(match.group().casefold() not in own for text in texts for match in LEAK.finditer(text))
