"""Rollouts on a CPU by our own sampler, for both trainers: finished sequences leave the batch, which `generate` keeps.

On a GPU, with vLLM, or with a setting that only `generate` knows, TRL's own path is taken.
"""

from __future__ import annotations

from typing import Any

import torch
from trl.models.utils import unwrap_model_for_generation

from stepalign.models.sampling import Sampling, sample_responses


class InProcessSampling:
    """Mixin before a TRL trainer: replaces `_generate_single_turn` where our sampler can do what is asked."""

    def _generate_single_turn(self: Any, prompt_ids: list[list[int]], *args: Any, **kwargs: Any) -> Any:
        if not self._can_sample_in_process(*args):
            return super()._generate_single_turn(prompt_ids, *args, **kwargs)  # pyright: ignore
        # drawn from the global generator, which checkpoints keep: a resumed run samples what an undisturbed one does
        seed = int(torch.randint(2**31, (1,)))
        sampling = Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k or 0,
            max_new_tokens=self.max_completion_length,
            seed=seed,
            batch_size=len(prompt_ids),
        )
        with unwrap_model_for_generation(self.model_wrapped, self.accelerator) as model:
            batches = sample_responses(model, prompt_ids, sampling, self.eos_token_ids)
            responses = {r.prompt: r.token_ids for batch in batches for r in batch}
        return [responses[i] for i in range(len(prompt_ids))]

    def _can_sample_in_process(self: Any, images: Any = None, multimodal_fields: Any = None, *_: Any) -> bool:
        args = self.args
        plain = not (images or multimodal_fields or self.use_vllm or args.generation_kwargs or args.min_p)
        return (
            plain
            and self.accelerator.device.type == "cpu"
            and self.accelerator.num_processes == 1
            and args.repetition_penalty == 1.0
            and args.cache_implementation is None
        )
