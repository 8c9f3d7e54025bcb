"""The output head of a causal LM as the divergence kernel wants it: weight, bias, logit scale, soft cap."""

from __future__ import annotations

from typing import Any

from stepalign.maths.divergence import Head


def head_of(model: Any) -> Head:
    """The head of a causal LM of transformers, with a PEFT adapter or none.

    Logit scales go by different names: Cohere's `logit_scale` and Falcon-H1's `lm_head_multiplier` multiply, Granite's
    `logits_scaling` divides. Gemma 2's `final_logit_softcapping` is the soft cap.
    """
    linear = model.get_output_embeddings()
    config = model.config.get_text_config()
    scale = getattr(config, "logit_scale", None) or getattr(config, "lm_head_multiplier", None)
    if scale is None and getattr(config, "logits_scaling", None):
        scale = 1 / config.logits_scaling
    return Head(
        weight=linear.weight,
        bias=linear.bias,
        logit_scale=float(scale) if scale is not None else 1.0,
        softcap=getattr(config, "final_logit_softcapping", None),
    )
