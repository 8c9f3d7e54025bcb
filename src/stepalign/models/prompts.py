"""Prompts exactly as they are tokenized, and where a prompt meets the response.

A chat template writes its own special tokens, so its text is tokenized without adding any. Prompt and response are
joined by ids; `boundary` says whether tokenizing the joined text would give other ids where they meet.

    >>> (prompt,) = chat_prompts(tokenizer, ["What is 2 + 2?"], {"enable_thinking": False})
    >>> prompt.text, len(prompt.ids)
    ('<|im_start|>user\\nWhat is 2 + 2?<|im_end|>\\n<|im_start|>assistant\\n', 18)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stepalign.core.errors import ConfigError, ModelError
from stepalign.core.tokenizer import Tokenizer

Conversation = Sequence[Mapping[str, str]]


class Prompt(NamedTuple):
    """`ids` are those of `text`, no special tokens added."""

    text: str
    ids: list[int]


def chat_prompts(
    tokenizer: Tokenizer, messages: Sequence[str | Conversation], kwargs: Mapping[str, object] | None = None
) -> list[Prompt]:
    """Each user message (or conversation) in the chat template, ready for the answer.

    Args:
        tokenizer: the model's.
        messages: what the user says, or whole conversations of `{"role", "content"}`.
        kwargs: more variables of the template, such as `enable_thinking`.
    Raises:
        ConfigError: the template does not take these kwargs.
        ModelError: the template cannot render these messages, or is no template.
    """
    if not messages:
        return []
    conversations = [[{"role": "user", "content": m}] if isinstance(m, str) else m for m in messages]
    more = dict(kwargs or {})
    try:
        texts = tokenizer.apply_chat_template(conversations, tokenize=False, add_generation_prompt=True, **more)
    except Exception as error:  # a template raises what it likes
        why = str(error).rstrip(".") or type(error).__name__
        if more and isinstance(error, TypeError):
            raise ConfigError(f"chat_template_kwargs {more} do not work: {why}. Take them out.") from None
        what = "a single user message" if isinstance(messages[0], str) else "these messages"
        name = getattr(tokenizer, "name_or_path", "")
        whose = f"the chat template of '{name}'" if name else "chat template"
        raise ModelError(f"{whose} fails on {what}: {why}. Mend the template.") from None
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return [Prompt(text, list(of_text)) for text, of_text in zip(texts, ids, strict=True)]


def opens_thinking(tokenizer: Tokenizer, kwargs: Mapping[str, object] | None = None) -> bool:
    """Whether the chat template itself opens `<think>`: a response then begins inside it, and one that is cut off
    before it closes it is nothing but thinking."""
    (prompt,) = chat_prompts(tokenizer, ["?"], kwargs)
    return prompt.text.rstrip().endswith("<think>")


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """Token ids of a text that has its special tokens already."""
    return list(tokenizer([text], add_special_tokens=False)["input_ids"][0])


def boundary(tokenizer: Tokenizer, prompt: Prompt, response: str, response_ids: Sequence[int]) -> dict[str, Any]:
    """The tokens on both sides of the seam, and whether tokenizing the joined text would put others there.

    A response that begins in the middle of a token would be tokenized in another way by a model that wrote prompt and
    response in one go; it is scored with its own ids all the same.
    """
    joined = encode(tokenizer, prompt.text + response)
    separate = [*prompt.ids, *response_ids]
    seam = len(prompt.ids) + 1
    return {
        "last_prompt_token": _token(tokenizer, prompt.ids[-1]),
        "first_response_token": _token(tokenizer, response_ids[0]),
        "joined_text_differs": joined[:seam] != separate[:seam],
    }


def _token(tokenizer: Tokenizer, token_id: int) -> dict[str, Any]:
    return {"id": token_id, "text": tokenizer.decode([token_id], skip_special_tokens=False)}
