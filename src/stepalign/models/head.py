"""The output head of a causal LM as the divergence kernel wants it: weight, bias, logit scale, soft cap."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel

from stepalign.maths.head import Head


def head_of(model: PreTrainedModel) -> Head:
    """The head of a causal LM of transformers, with a PEFT adapter or none.

    Logit scales go by different names. `logit_scale` (Cohere), `output_multiplier` and `lm_head_multiplier` (Falcon-H1)
    multiply; `logits_scaling` divides (Granite), but multiplies in HyperCLOVA X. `final_logit_softcapping` (Gemma 2) is
    the soft cap. A weight sharded by FSDP is gathered.
    """
    linear = cast("nn.Linear", model.get_output_embeddings())
    config = model.config.get_text_config()
    names = ("logit_scale", "output_multiplier", "lm_head_multiplier")
    scale = next((value for name in names if (value := getattr(config, name, None)) is not None), None)
    if scale is None and (scaling := getattr(config, "logits_scaling", None)):
        scale = scaling if config.model_type == "hyperclovax" else 1 / scaling
    return Head(
        weight=_whole(linear.weight),
        bias=None if linear.bias is None else _whole(linear.bias),
        logit_scale=float(scale) if scale is not None else 1.0,
        softcap=getattr(config, "final_logit_softcapping", None),
    )


def detached_head(model: PreTrainedModel) -> Head:
    """The head as it is now, without a gradient: it stays so when other weights are put in the model's parameters.

    A weight that is not trained is passed as it is, so that the kernel sees where student and teacher share it.
    """
    head = head_of(model)
    if not head.weight.requires_grad:
        return head
    return replace(head, weight=head.weight.detach(), bias=None if head.bias is None else head.bias.detach())


def _whole(tensor: Tensor) -> Tensor:
    """The tensor itself, or all of it where FSDP2 holds only a shard here."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
