"""What is used of a tokenizer of transformers, as a type: fast tokenizers fit it, and so does a test's stand-in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Tokenizer(Protocol):
    """The names are transformers', and so is what they do."""

    chat_template: str | None
    eos_token_id: int
    pad_token_id: int

    def __call__(self, text: Sequence[str], /, *, add_special_tokens: bool = True) -> Mapping[str, list[list[int]]]:
        """Token ids of each text, under `input_ids`."""
        ...

    def decode(self, token_ids: Sequence[int], /, *, skip_special_tokens: bool = False) -> str:
        """The text of token ids."""
        ...

    def batch_decode(self, sequences: Sequence[Sequence[int]], /, *, skip_special_tokens: bool = False) -> list[str]:
        """The text of each sequence of token ids."""
        ...

    def apply_chat_template(
        self,
        conversations: Sequence[Sequence[Mapping[str, str]]],
        /,
        *,
        tokenize: bool,
        add_generation_prompt: bool,
        **template_kwargs: object,
    ) -> list[str]:
        """Each conversation as text, its special tokens written out, where `tokenize` is off."""
        ...
