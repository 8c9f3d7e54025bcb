"""The next token's logits for a batch of rows, a token at a time.

    >>> decoder = decoder_for(model)
    >>> ids = torch.tensor([tokenizer.encode("Start with 47.")])
    >>> logits = decoder.prefill(ids, torch.ones_like(ids), torch.tensor([0, 0]))   # each prompt once, for two rows
    >>> logits = decoder.step(logits.argmax(-1))        # and so on; decoder.keep(rows) lets the others go
    >>> logits.shape
    torch.Size([2, 447])

A step of a model as small as the micro solver takes transformers longer in copies of the cache (all of it, at every
token), masks and Python than in matrix products. `Qwen3Decoder` does the same arithmetic in the same order, with a
cache that is written in place: the same logits to the bit where measured (MKL), but in a batch of one. It takes plain
Qwen3 in float32 on a CPU; everything else goes through `TransformersDecoder`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol, TypeGuard, cast

import torch
from torch import Tensor
from torch.nn.functional import linear, pad, scaled_dot_product_attention, silu
from transformers import DynamicCache, PreTrainedModel, Qwen3ForCausalLM
from transformers.models.qwen3.modeling_qwen3 import Qwen3DecoderLayer

GROW_BY = 64  # tokens of room that the cache gets when it is full


class Decoder(Protocol):
    """A batch of B rows that are being written, V the size of the vocabulary."""

    def prefill(self, input_ids: Tensor, mask: Tensor, rows: Tensor) -> Tensor:
        """Read prompts, (P, T), padded on the left where `mask` is 0; row i continues prompt `rows[i]`. (B, V)."""
        ...

    def step(self, tokens: Tensor) -> Tensor:
        """Append a token (B,) to each row. (B, V)."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Go on with the rows of these numbers, (fewer,)."""
        ...


def decoder_for(model: PreTrainedModel) -> Decoder:
    """The fastest decoder for this model."""
    return Qwen3Decoder(model) if is_plain_qwen3(model) else TransformersDecoder(model)


class TransformersDecoder:
    """Any causal LM of transformers, by its forward. Shapes as in `Decoder`."""

    def __init__(self, model: PreTrainedModel):
        self.model = model

    def prefill(self, input_ids: Tensor, mask: Tensor, rows: Tensor) -> Tensor:
        """Read prompts (P, T); logits (B, V) of the rows that continue them."""
        self.cache = DynamicCache(config=self.model.config)
        self.mask, self.position = mask, (mask.cumsum(dim=1) - 1).clamp(min=0)
        logits = self._forward(input_ids, logits_to_keep=1)
        self.position = self.position[:, -1:]
        if len(rows) > len(mask):
            self.keep(rows)
        return logits[rows]

    def step(self, tokens: Tensor) -> Tensor:
        """Append tokens (B,); logits (B, V)."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        self.position = self.position + 1
        return self._forward(tokens[:, None])

    def keep(self, rows: Tensor) -> None:
        """Go on with the rows of these numbers, (fewer,)."""
        self.mask, self.position = self.mask[rows], self.position[rows]
        self.cache.batch_select_indices(rows)

    def _forward(self, input_ids: Tensor, **kwargs: int) -> Tensor:
        state = {"attention_mask": self.mask, "position_ids": self.position, "past_key_values": self.cache}
        return self.model(input_ids=input_ids, **state, **kwargs).logits[:, -1]


class Layer(NamedTuple):
    """A layer's weights; those that read the same input are one matrix."""

    input_norm: Tensor
    queries_keys_values: Tensor
    head_norm: Tensor  # (heads of queries and of keys, D)
    output: Tensor
    mlp_norm: Tensor
    gate_up: Tensor
    down: Tensor


class Qwen3Decoder:
    """Plain Qwen3. Shapes as in `Decoder`; D is the size of a head.

    The cache holds keys and values, (B, heads of keys, capacity, D) each.
    """

    def __init__(self, model: Qwen3ForCausalLM):
        config: Any = model.config
        self.model, self.eps, self.size = model, config.rms_norm_eps, config.head_dim
        self.num_heads, self.num_key_heads = config.num_attention_heads, config.num_key_value_heads
        self.layers = [self._weights(layer) for layer in cast("Iterable[Qwen3DecoderLayer]", model.model.layers)]

    def _weights(self, layer: Qwen3DecoderLayer) -> Layer:
        attention, mlp = layer.self_attn, layer.mlp
        query_norm = attention.q_norm.weight.expand(self.num_heads, -1)
        key_norm = attention.k_norm.weight.expand(self.num_key_heads, -1)
        return Layer(
            layer.input_layernorm.weight,
            torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]),
            torch.cat([query_norm, key_norm]),
            attention.o_proj.weight,
            layer.post_attention_layernorm.weight,
            torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]),
            mlp.down_proj.weight,
        )

    def prefill(self, input_ids: Tensor, mask: Tensor, rows: Tensor) -> Tensor:
        """Read prompts (P, T); logits (B, V) of the rows that continue them."""
        prompts = TransformersDecoder(self.model)
        logits = prompts.prefill(input_ids, mask, torch.arange(len(mask)))
        self.length = mask.size(1)
        self.position = prompts.position[rows, 0]
        self.bias = torch.zeros(mask.shape).masked_fill_(mask == 0, -torch.inf)[rows, None, None]
        self.keys = [layer.keys[rows] for layer in prompts.cache.layers]  # pyright: ignore
        self.values = [layer.values[rows] for layer in prompts.cache.layers]  # pyright: ignore
        self._grow()
        return logits[rows]

    def step(self, tokens: Tensor) -> Tensor:
        """Append tokens (B,); logits (B, V)."""
        if self.length == self.bias.size(-1):
            self._grow()
        self.position = self.position + 1
        self.length += 1
        x = self.model.model.embed_tokens.weight[tokens]
        for number, layer in enumerate(self.layers):
            heads = linear(self._norm(x, layer.input_norm), layer.queries_keys_values).view(len(x), -1, self.size)
            x = x + linear(self._attend(heads, layer, self.keys[number], self.values[number]), layer.output)
            gate, up = linear(self._norm(x, layer.mlp_norm), layer.gate_up).chunk(2, dim=-1)
            x = x + linear(silu(gate) * up, layer.down)
        return linear(self._norm(x, self.model.model.norm.weight), self.model.lm_head.weight)

    def _attend(self, heads: Tensor, layer: Layer, keys: Tensor, values: Tensor) -> Tensor:
        """What the heads of queries, keys and values (B, heads, D) of the new token read from the cache."""
        rotated = self._norm(heads[:, : -self.num_key_heads], layer.head_norm)
        rotated = rotated * self.cos[self.position] + rotated.roll(self.size // 2, -1) * self.sin[self.position]
        keys[:, :, self.length - 1] = rotated[:, self.num_heads :]
        values[:, :, self.length - 1] = heads[:, -self.num_key_heads :]
        # the query heads that share a key head go in as if they were successive queries
        queries = rotated[:, : self.num_heads].reshape(len(heads), self.num_key_heads, -1, self.size)
        keys, values, bias = keys[:, :, : self.length], values[:, :, : self.length], self.bias[..., : self.length]
        read = scaled_dot_product_attention(queries, keys, values, attn_mask=bias, scale=self.size**-0.5)
        return read.reshape(len(heads), -1)

    def keep(self, rows: Tensor) -> None:
        """Go on with the rows of these numbers, (fewer,)."""
        self.position, self.bias = self.position[rows], self.bias[rows]
        self.keys, self.values = ([self._select(x, rows) for x in cache] for cache in (self.keys, self.values))

    def _select(self, cache: Tensor, rows: Tensor) -> Tensor:
        kept = cache.new_empty(len(rows), *cache.shape[1:])
        torch.index_select(cache[:, :, : self.length], 0, rows, out=kept[:, :, : self.length])
        return kept

    def _grow(self) -> None:
        self.bias = pad(self.bias, (0, GROW_BY))
        self.keys, self.values = ([pad(x, (0, 0, 0, GROW_BY)) for x in cache] for cache in (self.keys, self.values))
        cos, sin = self.model.model.rotary_emb(self.bias, torch.arange(self.bias.size(-1))[None])
        first, second = sin[0, :, None].chunk(2, dim=-1)
        self.cos, self.sin = cos[0, :, None], torch.cat([-first, second], dim=-1)  # -: as in `rotate_half`

    def _norm(self, x: Tensor, weight: Tensor) -> Tensor:
        return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


def is_plain_qwen3(model: PreTrainedModel) -> TypeGuard[Qwen3ForCausalLM]:
    """Whether `Qwen3Decoder` knows all that this model does in a forward pass."""
    if type(model) is not Qwen3ForCausalLM or model.device.type != "cpu":
        return False
    config: Any = model.config
    modules = list(model.modules())
    linears = [module for module in modules if hasattr(module, "in_features")]
    return (
        all(parameter.dtype == torch.float32 for parameter in model.parameters())
        and all(type(module) is torch.nn.Linear and module.bias is None for module in linears)
        and not any(module._forward_hooks or module._forward_pre_hooks for module in modules)
        and set(config.layer_types) == {"full_attention"}
        and config.rope_parameters["rope_type"] == "default"
        and (config.hidden_act, config._attn_implementation) == ("silu", "sdpa")
        and not config.attention_dropout
    )
