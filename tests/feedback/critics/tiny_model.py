"""A chat model of random weights: it says nothing sensible, quickly, which is all that a wire test needs."""

from __future__ import annotations

from pathlib import Path

from stepalign.micro.tokenizer import train_tokenizer


def save_tiny_model(directory: Path) -> Path:
    """A Qwen3 of 2 layers and its tokenizer, saved as transformers expects them."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    tokenizer = train_tokenizer(["<step_1>2 + 3 = 5</step_1> <answer>20</answer> keep these steps"], vocab_size=300)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=4096,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    Qwen3ForCausalLM(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory
