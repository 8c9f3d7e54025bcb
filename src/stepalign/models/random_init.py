"""A small Qwen3 with random weights, to try a recipe and its data without a download. It knows nothing.

What is real: the architecture, Qwen's way of splitting text, its special tokens and its chat template, thinking
switch included. What is small: sizes and vocabulary, which is learned from the texts given.

    python -m stepalign.models.random_init --texts gsm8k.jsonl --output_dir runs/smoke/model
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import torch
from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM
from transformers.utils.logging import disable_progress_bar

from stepalign.core.errors import DataError
from stepalign.core.files import read_jsonl

VOCAB_SIZE = 1024  # 256 bytes and the commonest pieces of the texts


def save_random_qwen3(directory: Path, texts: Iterable[str], seed: int = 0) -> Path:
    """Write a model of 160,000 random parameters and a tokenizer learned from `texts`; returns the directory.

    The same texts and seed give the same files.
    """
    tokenizer = train_tokenizer(texts)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=cast("int", tokenizer.eos_token_id),
        pad_token_id=cast("int", tokenizer.pad_token_id),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(config)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def train_tokenizer(texts: Iterable[str]) -> Qwen2Tokenizer:
    """Qwen3's tokenizer with a vocabulary of its own. Any text can be encoded: it is byte-level."""
    from trl.chat_template_utils import qwen3_chat_template  # as the model ships it

    untrained = Qwen2Tokenizer(  # Qwen3's class, too
        eos_token="<|im_end|>", pad_token="<|endoftext|>", additional_special_tokens=["<|im_start|>", "<|im_end|>"]
    )
    trained = untrained.train_new_from_iterator(texts, VOCAB_SIZE, show_progress=False)
    tokenizer = cast("Qwen2Tokenizer", trained)
    tokenizer.add_tokens(["<think>", "</think>"])
    tokenizer.chat_template = qwen3_chat_template
    return tokenizer


def read_texts(path: Path) -> list[str]:
    """Every text in the rows of a JSONL file, whatever its columns are called.

    Raises:
        DataError: the file is missing, no JSONL, or has no text.
    """
    texts = [value for row in read_jsonl(path) for value in row.values() if isinstance(value, str)]
    if not texts:
        raise DataError(f"{path}: no texts; expected a JSONL file such as GSM8K's. Check the path.")
    return texts


def main() -> None:
    """The command line: texts in, a model directory out."""
    parser = argparse.ArgumentParser(
        prog="python -m stepalign.models.random_init",
        description="Write a small Qwen3 with random weights, to try a recipe and its data without a download.",
    )
    parser.add_argument("--texts", type=Path, required=True, help="JSONL whose texts the tokenizer learns from")
    parser.add_argument("--output_dir", type=Path, required=True, help="where model and tokenizer go")
    parser.add_argument("--seed", type=int, default=0, help="seed of the weights (default: 0)")
    args = parser.parse_args()
    disable_progress_bar()
    try:
        texts = read_texts(args.texts)
    except DataError as error:
        parser.error(str(error))
    print(save_random_qwen3(args.output_dir, texts, args.seed))


if __name__ == "__main__":
    main()
