r"""Whether two answers are mathematically equal, by math-verify. Runs in the worker only: some inputs never return.

math-verify is given the two answers alone, as one formula each, and none of its own search for an answer in a text:
that search reads "not 5" as 5 and merges two boxes close together. Its timeouts are signals that work in the main
thread only and do not reach into C; the worker is killed instead.

    >>> compare(r"\frac{1}{2}", "2^{-1}")
    <Outcome.CORRECT: 'correct'>
"""

from __future__ import annotations

import logging
from typing import Any

from math_verify import LatexExtractionConfig, parse, verify

from stepalign.core.rollout import Outcome

logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns of the timeouts that are off


def compare(gold: str, answer: str) -> Outcome:
    """Correct or wrong; unparseable where one of the two is no formula or the comparison is undefined."""
    expected, got = _parse(gold), _parse(answer)
    if not expected or not got:
        return Outcome.UNPARSEABLE
    try:
        equal = verify(expected, got, allow_set_relation_comp=True, timeout_seconds=None, raise_on_error=True)
    except MemoryError:
        raise  # the worker's to answer: this process is no longer to be trusted
    except Exception:
        return Outcome.UNPARSEABLE
    return Outcome.CORRECT if equal else Outcome.WRONG


def _parse(text: str) -> list[Any]:
    """The formula as a list of one sympy expression; empty if it is none."""
    formula = " ".join(text.replace(r"\$", "").replace("$", "").split())
    return parse(
        f"${formula}$",
        [LatexExtractionConfig()],
        fallback_mode="no_fallback",
        parsing_timeout=None,  # type: ignore[arg-type]
    )
