"""The output head of a language model, from hidden states to logits, without the module around it.

A head multiplies by its weight, adds a bias if it has one, multiplies by `logit_scale` (Cohere, Granite) and caps
softly, `cap * tanh(x / cap)` (Gemma). The product with the weight is the costly part and is done elsewhere, chunk by
chunk (`stepalign.maths.kernel`); here is what comes after it, and its derivative.

    >>> import torch
    >>> head = Head(torch.eye(2), softcap=30.0)
    >>> hidden = torch.tensor([[3.0, 300.0]])
    >>> head.finish_logits_(hidden @ head.weight.T)
    tensor([[ 2.9900, 30.0000]])
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from stepalign.core.errors import ConfigError, ShapeError


@dataclass(frozen=True, eq=False)
class Head:
    """What turns hidden states into logits.

    `weight` is (V, H) and `bias` (V,): plain tensors, so gather sharded ones first. `logit_scale` multiplies the
    logits; `softcap` then bounds them, None for no bound. A tied embedding is passed as it is.
    """

    weight: Tensor
    bias: Tensor | None = None
    logit_scale: float = 1.0
    softcap: float | None = None

    def __post_init__(self) -> None:
        if self.weight.ndim != 2:
            raise ShapeError(f"head weight has shape {tuple(self.weight.shape)}; expected (vocabulary, hidden).")
        if self.bias is not None and self.bias.shape != self.weight.shape[:1]:
            raise ShapeError(f"head bias has shape {tuple(self.bias.shape)}; expected {tuple(self.weight.shape[:1])}.")
        if self.softcap is not None and self.softcap <= 0:
            raise ConfigError(f"softcap is {self.softcap}; expected a positive number, or None for no cap.")

    @property
    def vocabulary_size(self) -> int:
        """V, the number of logits."""
        return self.weight.shape[0]

    @property
    def hidden_size(self) -> int:
        """H, the width of the hidden states."""
        return self.weight.shape[1]

    def finish_logits_(self, product: Tensor) -> Tensor:
        """Turn `hidden @ weight.T`, (N, V), into logits, in place."""
        if self.bias is not None:
            product.add_(self.bias)
        if self.logit_scale != 1.0:
            product.mul_(self.logit_scale)
        if self.softcap is not None:
            product.div_(self.softcap).tanh_().mul_(self.softcap)
        return product

    def product_gradient_(self, logit_gradient: Tensor, product: Tensor) -> Tensor:
        """Turn a gradient with respect to the logits into one with respect to the product, in place.

        Args:
            logit_gradient: (N, V).
            product: (N, V); `hidden @ weight.T`, read only where there is a softcap.
        """
        if self.softcap is not None:
            tanh = self.finish_logits_(product.to(logit_gradient.dtype, copy=True)).div_(self.softcap)
            logit_gradient.mul_(tanh.square_().neg_().add_(1))
        if self.logit_scale != 1.0:
            logit_gradient.mul_(self.logit_scale)
        return logit_gradient
