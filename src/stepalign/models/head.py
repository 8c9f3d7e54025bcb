"""The output head of a causal LM as the divergence kernel wants it: weight, bias, logit scale, soft cap."""

from __future__ import annotations

from typing import Any

from stepalign.maths.divergence import Head


def head_of(model: Any) -> Head:
    """The head of a causal LM of transformers, with a PEFT adapter or none.

    Logit scales go by different names. `logit_scale` (Cohere), `output_multiplier` and `lm_head_multiplier` (Falcon-H1)
    multiply; `logits_scaling` divides (Granite), but multiplies in HyperCLOVA X. `final_logit_softcapping` (Gemma 2) is
    the soft cap. A weight sharded by FSDP is gathered.
    """
    linear = model.get_output_embeddings()
    config = model.config.get_text_config()
    names = ("logit_scale", "output_multiplier", "lm_head_multiplier")
    scale = next((value for name in names if (value := getattr(config, name, None)) is not None), None)
    if scale is None and getattr(config, "logits_scaling", None):
        scale = config.logits_scaling if config.model_type == "hyperclovax" else 1 / config.logits_scaling
    return Head(
        weight=_whole(linear.weight),
        bias=None if linear.bias is None else _whole(linear.bias),
        logit_scale=float(scale) if scale is not None else 1.0,
        softcap=getattr(config, "final_logit_softcapping", None),
    )


def _whole(tensor: Any) -> Any:
    """The tensor itself, or all of it where FSDP2 holds only a shard here."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
