"""The sizes of a model and a batch for the training steps that are measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Of model and batch; lengths in tokens. Rollouts' lengths are spread evenly from the shortest to the longest.

    The model is shaped like Qwen3-1.7B: hidden / head_dim heads, half as many for keys and values, 3 x hidden within.
    """

    vocabulary: int = 151_936
    hidden: int = 256
    num_layers: int = 4
    batch_size: int = 8
    shortest: int = 64
    longest: int = 512
    prompt: int = 96
    context: int = 1024
    head_dim: int = 32
    lora_r: int = 16
    dtype: str = "float32"
    device: str = "cpu"

    @property
    def logit_bytes(self) -> int:
        """Of one tensor of float32 logits over the padded batch."""
        return 4 * self.batch_size * (self.longest + 1) * self.vocabulary


QUICK = Sizes(vocabulary=4096, hidden=64, num_layers=2, batch_size=4, shortest=8, longest=64, prompt=12, context=64)
QWEN3_1_7B = Sizes(
    hidden=2048, num_layers=28, head_dim=128, lora_r=64, dtype="bfloat16", batch_size=4, shortest=512, longest=2048
)
