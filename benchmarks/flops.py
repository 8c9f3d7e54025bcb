"""What a training step takes by its sizes: floating-point operations and memory; and what GPUs can do at their best.

    parameters = count(sizes)
    pass_flops(parameters, lengths).backward / seconds / (PEAK_TFLOPS["NVIDIA A100-SXM4-80GB"] * 1e12)

These are the model's operations: what gradient checkpointing computes a second time counts for nothing, so that a share
of the peak says how well the GPU is used for the work asked of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.sizes import Sizes
from benchmarks.stages import Lengths

# Dense (no sparsity) bfloat16 on tensor cores, TFLOP/s, by torch's name of the device: NVIDIA's data sheets. Those of
# Hopper give the sparse figure, which is twice this.
PEAK_TFLOPS = {
    "NVIDIA A100-PCIE-40GB": 312.0,
    "NVIDIA A100-SXM4-40GB": 312.0,
    "NVIDIA A100 80GB PCIe": 312.0,
    "NVIDIA A100-SXM4-80GB": 312.0,
    "NVIDIA H100 80GB HBM3": 989.0,
    "NVIDIA H100 NVL": 835.0,
    "NVIDIA H100 PCIe": 756.0,
    "NVIDIA H200": 989.0,
    "NVIDIA L4": 121.0,
    "NVIDIA L40S": 362.0,
    "NVIDIA A10": 125.0,
    "NVIDIA A40": 149.7,
}
BFLOAT16, FLOAT32 = 2, 4  # bytes


@dataclass(frozen=True)
class Parameters:
    """Of the matrix products of a model; `attention_width` is heads x head_dim, summed over the layers."""

    layers: int
    head: int
    adapter: int
    attention_width: int


class PassFlops(NamedTuple):
    forward: float
    backward: float


def count(sizes: Sizes) -> Parameters:
    """The parameters of `benchmarks.trainers.make_model(sizes)`, without making it."""
    hidden, within = sizes.hidden, 3 * sizes.hidden
    heads = hidden // sizes.head_dim * sizes.head_dim
    shared = max(1, hidden // (2 * sizes.head_dim)) * sizes.head_dim
    products = [(hidden, heads), (hidden, shared), (hidden, shared), (heads, hidden)]
    products += [(hidden, within), (hidden, within), (within, hidden)]
    return Parameters(
        layers=sizes.num_layers * sum(a * b for a, b in products),
        head=sizes.vocabulary * hidden,
        adapter=sizes.num_layers * sizes.lora_r * sum(a + b for a, b in products),
        attention_width=sizes.num_layers * heads,
    )


def forward_flops(parameters: Parameters, sequences: Sequence[int], num_logits: int, adapter: bool) -> float:
    """Of one pass over sequences of so many tokens, logits at `num_logits` places; attention is causal."""
    weights = parameters.layers + (parameters.adapter if adapter else 0)
    attention = 2.0 * parameters.attention_width * sum(length**2 for length in sequences)
    return 2.0 * weights * sum(sequences) + 2.0 * parameters.head * num_logits + attention


def generation_flops(parameters: Parameters, lengths: Lengths) -> float:
    return forward_flops(parameters, _joined(lengths.prompts, lengths.responses), sum(lengths.responses), adapter=True)


def pass_flops(parameters: Parameters, lengths: Lengths) -> PassFlops:
    """Forward: student with adapter, teacher without, and the loss's gradient by the student's last hidden states.
    Backward: frozen weights need the gradient of their inputs alone; adapter and attention need two products each."""
    student = _joined(lengths.prompts, lengths.responses)
    num_tokens, num_logits = sum(student), sum(lengths.responses)
    forward = forward_flops(parameters, student, num_logits, adapter=True)
    forward += forward_flops(parameters, _joined(lengths.teacher_prompts, lengths.responses), num_logits, adapter=False)
    forward += 2.0 * parameters.head * num_logits
    backward = 2.0 * (parameters.layers + 2 * parameters.adapter) * num_tokens
    backward += 4.0 * parameters.attention_width * sum(length**2 for length in student)
    return PassFlops(forward, backward)


def memory_bytes(sizes: Sizes, num_prompts: int) -> dict[str, float]:
    """Roughly what the step needs on a GPU, by what needs it; sampling's cache and training's activations take turns.

    Activations with gradient checkpointing: the inputs of all layers, and of one layer what its backward pass needs
    (about 100 bytes a position and hidden unit, with the adapter's copies in float32); logits are made 1 GB at a time.
    """
    parameters = count(sizes)
    shared = max(1, sizes.hidden // (2 * sizes.head_dim)) * sizes.head_dim
    positions = sizes.batch_size * (sizes.prompt + sizes.longest)
    return {
        "weights": float(BFLOAT16 * (parameters.layers + parameters.head)),
        "adapter, gradient, AdamW": float(4 * FLOAT32 * parameters.adapter),
        "key-value cache": float(
            2 * BFLOAT16 * sizes.num_layers * shared * num_prompts * (sizes.prompt + sizes.longest)
        ),
        "activations and logits": positions * sizes.hidden * (BFLOAT16 * sizes.num_layers + 100.0) + 2.0**30,
    }


def _joined(prompts: Sequence[int], responses: Sequence[int]) -> list[int]:
    return [prompt + response for prompt, response in zip(prompts, responses, strict=True)]
