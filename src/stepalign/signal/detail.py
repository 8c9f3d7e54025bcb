"""The details of an inspection as `advantage.json` has them: what student and self-teacher would write at each token,
and what the loss does to it.

>>> text, probability = result["student_top"][0][0]     # at the first token the likeliest of five
>>> text, round(probability, 2)
('<step_', 1.0)
>>> len(result["contexts"]["stepalign"]["teacher_top"]) == len(result["tokens"])
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum
from typing import Any, NamedTuple, cast

from stepalign.core.spans import token_texts
from stepalign.core.tokenizer import Tokenizer
from stepalign.maths.detail import Alternatives, TokenDetail
from stepalign.maths.scores import TokenScores
from stepalign.signal.loss import InspectedLoss

DIGITS = 6  # of a probability
Top = list[list[list[str | float]]]  # for each token its alternatives, each a text and a probability


class Described(NamedTuple):
    """Details in plain values: the student's alternatives, and what is said of each context, by name."""

    student_top: Top
    contexts: dict[str, dict[str, Any]]


def describe(tokenizer: Tokenizer, scores: Mapping[str, TokenScores], loss: InspectedLoss) -> Described:
    """The details of one response's scores under each context, of which there is at least one; `loss` is theirs."""
    details = [cast("TokenDetail", of_context.detail) for of_context in scores.values()]
    student_top, *tops = in_words(tokenizer, [details[0].student_top, *(detail.teacher_top for detail in details)])
    contexts = {
        name: {**numbers_of(detail, loss), "teacher_top": top}
        for name, detail, top in zip(scores, details, tops, strict=True)
    }
    return Described(student_top, contexts)


def numbers_of(detail: TokenDetail, loss: InspectedLoss) -> dict[str, list[float]]:
    """A token's numbers by name, each list as long as the response.

    expected_advantage: nats. logit_push: of the token's own divergence, not divided by the number of tokens.
    gradient_share: 0 to 1; the norm of that divergence's gradient by the logits, of the sum of all tokens' norms; 0
    everywhere where the loss pushes nothing. Tokens that carry no loss have a push and a share of 0.
    """
    numbers = detail.to_json()
    weights = loss.weights(len(numbers["logit_push"]))
    norms = [weight * norm for weight, norm in zip(weights, numbers["gradient_norm"], strict=True)]
    total = fsum(norms)
    return {
        "expected_advantage": numbers["expected_advantage"],
        "logit_push": [weight * push for weight, push in zip(weights, numbers["logit_push"], strict=True)],
        "gradient_share": [norm / total if total else 0.0 for norm in norms],
    }


def in_words(tokenizer: Tokenizer, models: Sequence[Alternatives]) -> list[Top]:
    """The alternatives of several models, each as texts and probabilities (0 to 1), in falling order."""
    plain = [top.to_json() for top in models]
    texts = token_texts(tokenizer, (i for of_model in plain for of_token in of_model for i, _ in of_token))
    return [
        [[[texts[i], round(probability, DIGITS)] for i, probability in of_token] for of_token in of_model]
        for of_model in plain
    ]
