"""Next-token logits of a batch, one token at a time: by transformers, or without what it does around the products.

    decoder = decoder_for(model)
    logits = decoder.prefill(input_ids, mask, rows)      # rows of the batch may share a prompt
    while ...:
        decoder.keep(rows_that_go_on)
        logits = decoder.step(tokens)

A step of a model as small as the micro solver costs transformers more in Python, in copies of the cache (all of it, at
every token) and in masks than in matrix products. `Qwen3Decoder` does the same arithmetic in the same order on the
same weights, with a cache that is written in place; its logits are those of transformers to the bit, except in a batch
of one. It serves plain Qwen3 in float32 on a CPU. Everything else goes through `TransformersDecoder`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import linear, scaled_dot_product_attention, silu
from transformers import DynamicCache, Qwen3ForCausalLM

GROW_BY = 64  # tokens; the cache is written in place until it is full


class Decoder(Protocol):
    """A batch that is being written."""

    def prefill(self, input_ids: Tensor, mask: Tensor, rows: Tensor) -> Tensor:
        """Read the prompts (P, T), padded on the left where `mask` is 0. Row i of the batch continues prompt `rows[i]`.

        Returns (B, V) logits.
        """
        ...

    def step(self, tokens: Tensor) -> Tensor:
        """Append a token (B,) to each row. Returns (B, V) logits."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows alone."""
        ...


def decoder_for(model: Any) -> Decoder:
    """The fastest decoder that knows the model."""
    return Qwen3Decoder(model) if _is_plain_qwen3(model) else TransformersDecoder(model)


class TransformersDecoder:
    """Any causal LM of transformers, through its forward."""

    def __init__(self, model: Any):
        self.model = model

    def prefill(self, input_ids: Tensor, mask: Tensor, rows: Tensor) -> Tensor:
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        self.cache = DynamicCache(config=self.model.config)
        logits = self._forward(input_ids, mask, positions, logits_to_keep=1)
        self.mask, self.position = mask, positions[:, -1:]
        self.keep(rows)
        return logits[rows]

    def step(self, tokens: Tensor) -> Tensor:
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        self.position = self.position + 1
        return self._forward(tokens[:, None], self.mask, self.position)

    def keep(self, rows: Tensor) -> None:
        self.mask, self.position = self.mask[rows], self.position[rows]
        self.cache.batch_select_indices(rows)

    def _forward(self, input_ids: Tensor, mask: Tensor, positions: Tensor, **kwargs: Any) -> Tensor:
        return self.model(
            input_ids=input_ids, attention_mask=mask, position_ids=positions, past_key_values=self.cache, **kwargs
        ).logits[:, -1]


class Layer(NamedTuple):
    """Weights of a decoder layer; what transformers multiplies one after the other stands in one matrix."""

    input_norm: Tensor
    qkv: Tensor
    qk_norm: Tensor  # (heads of queries and keys, D)
    out: Tensor
    mlp_norm: Tensor
    gate_up: Tensor
    down: Tensor


class Qwen3Decoder:
    """Plain Qwen3. B rows, H query heads, K key heads, D their size, C the cache's capacity in tokens."""

    def __init__(self, model: Any):
        config = model.config
        self.model = model
        self.heads, self.key_heads, self.size = config.num_attention_heads, config.num_key_value_heads, config.head_dim
        self.eps = config.rms_norm_eps
        self.layers = [self._weights(layer) for layer in model.model.layers]

    def _weights(self, layer: Any) -> Layer:
        attention, mlp = layer.self_attn, layer.mlp
        norms = attention.q_norm.weight.expand(self.heads, -1), attention.k_norm.weight.expand(self.key_heads, -1)
        return Layer(
            layer.input_layernorm.weight,
            torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]),
            torch.cat(norms),
            attention.o_proj.weight,
            layer.post_attention_layernorm.weight,
            torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]),
            mlp.down_proj.weight,
        )

    def prefill(self, input_ids: Tensor, mask: Tensor, rows: Tensor) -> Tensor:
        reader = TransformersDecoder(self.model)
        logits = reader.prefill(input_ids, mask, torch.arange(len(mask)))
        self.length = mask.size(1)
        self.position = reader.position[rows, 0]
        self.bias = torch.zeros(len(mask), 1, 1, self.length).masked_fill_(mask[:, None, None] == 0, -torch.inf)[rows]
        self.cache = [tensor[rows] for layer in reader.cache.layers for tensor in (layer.keys, layer.values)]
        self._resize()
        return logits[rows]

    def step(self, tokens: Tensor) -> Tensor:
        if self.length == self.bias.size(-1):
            self._resize()
        self.position = self.position + 1
        now, seen = self.length, self.length + 1
        self.length = seen
        cos, sin = self.cos[self.position], self.sin[self.position]
        bias, half = self.bias[..., :seen], self.size // 2
        x = self.model.model.embed_tokens.weight[tokens]
        for number, layer in enumerate(self.layers):
            keys, values = self.cache[2 * number], self.cache[2 * number + 1]
            qkv = linear(self._norm(x, layer.input_norm), layer.qkv).view(len(x), -1, self.size)
            qk = self._norm(qkv[:, : -self.key_heads], layer.qk_norm)
            qk = qk * cos + qk.roll(half, -1) * sin
            keys[:, :, now] = qk[:, self.heads :]
            values[:, :, now] = qkv[:, -self.key_heads :]
            # the query heads of one key head as if they were successive queries
            queries = qk[:, : self.heads].reshape(len(x), self.key_heads, -1, self.size)
            read = scaled_dot_product_attention(
                queries, keys[:, :, :seen], values[:, :, :seen], attn_mask=bias, scale=self.size**-0.5
            )
            x = x + linear(read.reshape(len(x), -1), layer.out)
            gate, up = linear(self._norm(x, layer.mlp_norm), layer.gate_up).chunk(2, dim=-1)
            x = x + linear(silu(gate) * up, layer.down)
        return linear(self._norm(x, self.model.model.norm.weight), self.model.lm_head.weight)

    def keep(self, rows: Tensor) -> None:
        self.position, self.bias = self.position[rows], self.bias[rows]
        self.cache = [self._select(tensor, rows) for tensor in self.cache]

    def _select(self, tensor: Tensor, rows: Tensor) -> Tensor:
        kept = tensor.new_empty(len(rows), *tensor.shape[1:])
        torch.index_select(tensor[:, :, : self.length], 0, rows, out=kept[:, :, : self.length])
        return kept

    def _resize(self) -> None:
        """Room for more tokens."""
        self.bias = torch.nn.functional.pad(self.bias, (0, GROW_BY))
        self.cache = [torch.nn.functional.pad(tensor, (0, 0, 0, GROW_BY)) for tensor in self.cache]
        positions = torch.arange(self.bias.size(-1))[None]
        cos, sin = self.model.model.rotary_emb(self.bias, positions)
        self.cos = cos[0, :, None]
        half = self.size // 2
        self.sin = torch.cat([-sin[0, :, None, :half], sin[0, :, None, half:]], -1)

    def _norm(self, x: Tensor, weight: Tensor) -> Tensor:
        return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


def _is_plain_qwen3(model: Any) -> bool:
    if type(model) is not Qwen3ForCausalLM:
        return False
    config = model.config
    return (
        model.device.type == "cpu"
        and all(parameter.dtype == torch.float32 for parameter in model.parameters())
        and all(type(m) is torch.nn.Linear and m.bias is None for m in model.modules() if hasattr(m, "in_features"))
        and set(config.layer_types) == {"full_attention"}
        and config.hidden_act == "silu"
        and config.rope_parameters["rope_type"] == "default"
        and config._attn_implementation == "sdpa"
        and not config.attention_dropout
    )
