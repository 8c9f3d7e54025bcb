"""What both trainers add to TRL's way to rollouts: an order of prompts that survives a resume, and a CPU sampler.

TRL's sampler draws one permutation an epoch from one generator, so a run resumed in its second epoch would get the
first epoch's order again. `EpochSampler` finds its place. On a CPU rollouts come from our own sampler, where finished
sequences leave the batch. On a GPU, with vLLM, or with a setting that only `generate` knows, TRL's own path is taken.
"""

from __future__ import annotations

from typing import cast

import torch
from accelerate import Accelerator
from datasets import Dataset
from torch.nn import Module
from transformers import PreTrainedModel
from trl import DistillationConfig, GRPOConfig
from trl.models.utils import unwrap_model_for_generation
from trl.trainer.utils import RepeatSampler

from stepalign.models.sampling import Sampling, sample_responses

Generated = list[list[int]] | tuple[list[list[int]], list[list[float]] | None]
"""Token ids, and from TRL's own GRPO the sampler's log-probabilities."""


class EpochSampler(RepeatSampler):
    """TRL's sampler, with the same order in every epoch wherever a run is taken up."""

    def set_epoch(self, epoch: int) -> None:
        """Called by the data loader before each epoch, which counts from 0."""
        if self.shuffle:
            self.generator.manual_seed(self.seed or 0)
            for _ in range(epoch):  # the permutations of the epochs before
                torch.randperm(self.num_samples, generator=self.generator)


class OwnRollouts:
    """Mixin before a TRL trainer."""

    accelerator: Accelerator
    args: DistillationConfig | GRPOConfig
    model_wrapped: Module
    eos_token_ids: list[int]
    max_completion_length: int
    temperature: float
    top_k: int | None
    top_p: float
    use_vllm: bool

    def _get_train_sampler(self, dataset: Dataset | None = None) -> EpochSampler:
        sampler: RepeatSampler = super()._get_train_sampler(dataset)  # pyright: ignore
        names = ("data_source", "mini_repeat_count", "batch_size", "repeat_count", "shuffle", "seed")
        return EpochSampler(**{name: getattr(sampler, name) for name in names})

    def _generate_single_turn(
        self, prompt_ids: list[list[int]], images: object, multimodal_fields: object, *more: object, **options: object
    ) -> Generated:
        if images or multimodal_fields or not self._can_sample_in_process():
            return super()._generate_single_turn(  # pyright: ignore
                prompt_ids, images, multimodal_fields, *more, **options
            )
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
            batches = sample_responses(cast("PreTrainedModel", model), prompt_ids, sampling, self.eos_token_ids)
            responses = {r.prompt: r.token_ids for batch in batches for r in batch}
        return [responses[i] for i in range(len(prompt_ids))]

    def _can_sample_in_process(self) -> bool:
        args = self.args
        return (
            not (self.use_vllm or args.generation_kwargs or args.min_p)
            and self.accelerator.device.type == "cpu"
            and self.accelerator.num_processes == 1
            and args.repetition_penalty == 1.0
            and args.cache_implementation is None
        )
