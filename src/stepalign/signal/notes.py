"""Notes on an inspection: what a reader of its numbers should know, in sentences.

>>> notes(result, is_micro=True)[-1]
'The micro world is constructed: its numbers are no evidence about language models at large.'
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

SPIKE = 2.0  # nats of A_t at the first token from which it is worth a note
UNKNOWN = (
    "Nobody said which step is wrong first, so nothing is said about localization, and alignment counts all steps. "
    "Give first_wrong_step (0: none is wrong); in the micro world --critic exact finds it."
)
MICRO = "The micro world is constructed: its numbers are no evidence about language models at large."


def notes(result: Mapping[str, Any], *, is_micro: bool = False) -> list[str]:
    """The notes on a result as `inspect_response` makes it."""
    found = [] if result["first_wrong_step_source"] is not None else [UNKNOWN]
    found += [*_on_seams(result), *_on_contexts(result["contexts"]), *_on_response(result)]
    return [*found, MICRO] if is_micro else found


def _on_seams(result: Mapping[str, Any]) -> Iterator[str]:
    prompts = {"student": result, **result["contexts"]}
    names = [name for name, prompt in prompts.items() if prompt["boundary"]["joined_text_differs"]]
    if names:
        yield (
            f"Prompt and response tokenized as one text give other tokens where they meet ({', '.join(names)}). The "
            "response is scored with its own ids, and A_t of its first tokens says little."
        )


def _on_contexts(contexts: Mapping[str, Any]) -> Iterator[str]:
    for name, context in contexts.items():
        first = context["localization"]["first_token"]
        if abs(first) >= SPIKE:
            yield (
                f"A_t of the first token is {first:+.1f} nats under {name}. Such a spike comes from how the two "
                "prompts end, seldom from what the context says."
            )
        if context["alignment"]["quotes_wrong_step"]:
            yield f"{name} quotes the wrong step: a teacher copies from its context, the error included."
        if not context["context"].strip():
            yield f"{name} is empty: its A_t is the effect of the teacher's template alone."


def _on_response(result: Mapping[str, Any]) -> Iterator[str]:
    num_sampled = cast("Mapping[str, Any]", result["rollout"] or {}).get("num_tokens")
    num_tokens = len(result["response_token_ids"])
    if num_sampled is not None and num_sampled - num_tokens not in (0, 1):  # 1: its end-of-sequence token
        yield (
            f"{num_sampled} tokens were sampled, the text gives {num_tokens}: the sampled ids are not on record, and "
            "another split into tokens is scored."
        )
    if result["response"].endswith("\n"):
        yield "The response ends with a line break, which is scored like the rest."
