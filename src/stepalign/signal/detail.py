"""The details of an inspection as `advantage.json` has them: what student and self-teacher would write at each token.

>>> text, probability = result["student_top"][0][0]     # at the first token the likeliest of five
>>> text, round(probability, 2)
('<step_', 1.0)
>>> len(result["contexts"]["stepalign"]["teacher_top"]) == len(result["tokens"])
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from stepalign.core.spans import token_texts
from stepalign.core.tokenizer import Tokenizer
from stepalign.maths.detail import Alternatives, TokenDetail
from stepalign.maths.scores import TokenScores

DIGITS = 6  # of a probability
Top = list[list[list[str | float]]]  # for each token its alternatives, each a text and a probability


class Described(NamedTuple):
    """Details in plain values: the student's alternatives, and what is said of each context, by name."""

    student_top: Top
    contexts: dict[str, dict[str, Any]]


def describe(tokenizer: Tokenizer, scores: Mapping[str, TokenScores]) -> Described:
    """The details of one response's scores under each context, of which there is at least one."""
    details = [cast("TokenDetail", of_context.detail) for of_context in scores.values()]
    student_top, *tops = in_words(tokenizer, [details[0].student_top, *(detail.teacher_top for detail in details)])
    contexts = {
        name: {**detail.to_json(), "teacher_top": top} for name, detail, top in zip(scores, details, tops, strict=True)
    }
    return Described(student_top, contexts)


def in_words(tokenizer: Tokenizer, models: Sequence[Alternatives]) -> list[Top]:
    """The alternatives of several models, each as texts and probabilities (0 to 1), in falling order."""
    plain = [top.to_json() for top in models]
    texts = token_texts(tokenizer, (i for of_model in plain for of_token in of_model for i, _ in of_token))
    return [
        [[[texts[i], round(probability, DIGITS)] for i, probability in of_token] for of_token in of_model]
        for of_model in plain
    ]
