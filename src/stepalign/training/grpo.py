"""GRPO: the baseline, over `trl.GRPOTrainer` with our grader as its reward. No critic, no self-distillation.

The advantage of a rollout is (r - mean) / std within the group of its prompt, r = 1 for a correct answer and 0 for a
wrong or unparseable one, or the score of a grader that gives one. A timeout or an error is no grade at all: TRL leaves
such a rollout out of its group's baseline.

Where a group agrees the advantage is 0, and so are loss and gradient whatever the model says. Such rollouts are
recorded and left out of the loss; the others go through the model with those of similar length, so that little is
padding. The gradient is the same up to rounding; `entropy` is, as in self-distillation, that of the tokens in the loss.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from transformers import PreTrainedModel
from trl import GRPOConfig, GRPOTrainer

from stepalign.core.problem import Problem
from stepalign.core.tokenizer import Tokenizer
from stepalign.settings.run import world_size
from stepalign.settings.trainer import OfAStudy, SelfDistillationConfig
from stepalign.training.generation import Generated, OwnRollouts
from stepalign.training.model_card import OwnCard
from stepalign.training.rollouts import GradeRollouts, RolloutLog, first_prompt, make_rollouts, outcome_rates
from stepalign.training.self_distillation import student_dataset
from stepalign.training.trl_hooks import check_hooks

# Names that both configurations have with different meanings: TRL's GRPO keeps its own defaults.
NOT_SHARED = {"beta", "vllm_structured_outputs_regex"}
PROMPT, COMPLETION = ("prompt_ids", "prompt_mask"), ("completion_ids", "completion_mask")
BATCH_KEYS = {*PROMPT, *COMPLETION, "advantages", "num_items_in_batch"}
Batch = dict[str, torch.Tensor]


class GroupConfig(OfAStudy, GRPOConfig):
    """TRL's GRPO settings."""


def grpo_config(
    args: SelfDistillationConfig, num_generations: int, equal: Literal["rollouts", "prompts"] = "prompts"
) -> GroupConfig:
    """The same settings for GRPO, with groups of `num_generations` rollouts a prompt.

    Args:
        equal: what a step has as many of as one of self-distillation. rollouts: `num_generations` times fewer prompts,
            and where that is not a whole number as many more rollouts as it takes; prompts: accumulation grows by
            `num_generations`. Micro-batches keep their size.
    """
    shared = {f.name for f in dataclasses.fields(GRPOConfig) if f.init} - NOT_SHARED
    values = {f.name: getattr(args, f.name) for f in dataclasses.fields(args) if f.init and f.name in shared}
    accumulation, micro_batch = args.gradient_accumulation_steps, args.per_device_train_batch_size * world_size(args)
    whole = num_generations // math.gcd(micro_batch, num_generations)  # micro-batches until groups are whole
    rounded = -(-accumulation // whole) * whole
    values["gradient_accumulation_steps"] = accumulation * num_generations if equal == "prompts" else rounded
    return GroupConfig(**values, num_generations=num_generations, scale_rewards="group")


def without_idle_rows(batches: Sequence[Batch]) -> list[Batch]:
    """As many micro-batches, of the rollouts with an advantage alone: the longest first, with little padding.

    Args:
        batches: with `BATCH_KEYS`, all padded alike: prompts (B, P) on the left, completions (B, T) on the right;
            `advantages` is (B,).
    """
    whole = {key: torch.cat([batch[key] for batch in batches]) for key in (*PROMPT, *COMPLETION, "advantages")}
    idle, lengths = (whole["advantages"] == 0).tolist(), whole["completion_mask"].sum(dim=1).tolist()
    order = sorted(range(len(idle)), key=lambda row: (idle[row], -lengths[row]))
    used = order[: max(idle.count(False), len(batches))]  # a micro-batch cannot be empty
    split = torch.tensor(used, device=whole["advantages"].device).tensor_split(len(batches))
    return [{**batch, **_trimmed(whole, rows)} for batch, rows in zip(batches, split, strict=True)]


def _trimmed(whole: Batch, rows: torch.Tensor) -> Batch:
    """Some rows, with the columns that the longest of them needs."""
    prompt, completion = (max(1, int(whole[keys[1]][rows].sum(dim=1).max())) for keys in (PROMPT, COMPLETION))
    trimmed = {key: whole[key][rows, -prompt:] for key in PROMPT}
    trimmed |= {key: whole[key][rows, :completion] for key in COMPLETION}
    return {**trimmed, "advantages": whole["advantages"][rows]}


class GroupTrainer(OwnCard, OwnRollouts, GRPOTrainer):
    """TRL's GRPO trainer on our problems, with graded answers as reward and rollouts recorded."""

    args: GroupConfig
    model: PreTrainedModel
    _tokenizer: Tokenizer

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        problems: Sequence[Problem],
        args: GroupConfig,
        grade: GradeRollouts,
        prompt_templates: str = "steps",
        rollout_log: RolloutLog | None = None,
        **kwargs: Any,
    ):
        self.problems = {problem.id: problem for problem in problems}
        self.grade = grade
        self.rollout_log = rollout_log
        dataset = student_dataset(problems, prompt_templates)
        super().__init__(model=model, args=args, reward_funcs=self.correctness, train_dataset=dataset, **kwargs)
        check_hooks(self)

    def _generate_single_turn(
        self, prompt_ids: list[list[int]], images: object, multimodal_fields: object, *more: object, **options: object
    ) -> Generated:
        generated = super()._generate_single_turn(prompt_ids, images, multimodal_fields, *more, **options)
        # GRPO also expects the sampler's log-probabilities; None makes it compute them where it needs them
        return generated if isinstance(generated, tuple) else (generated, None)

    def _prepare_inputs(self, generation_batch: list[dict[str, Any]] | Batch) -> Batch:
        earlier = self._buffered_inputs
        inputs = super()._prepare_inputs(generation_batch)
        batches = self._buffered_inputs
        if batches is None or batches is earlier or not self._is_sum_over_advantages(batches):
            return inputs
        self._buffered_inputs = without_idle_rows(batches)
        return self._buffered_inputs[self._step % len(batches)]

    def _is_sum_over_advantages(self, batches: Sequence[Batch]) -> bool:
        """Whether the loss is a sum over tokens with the rollout's advantage as a factor, so that 0 is left out."""
        more = self.beta or self._entropy_bonus_enabled or self.aux_loss_enabled or self.top_entropy_quantile < 1
        alone = self.accelerator.num_processes == 1  # TRL gathers metrics over as many rollouts in each process
        return self.loss_type == "dapo" and not more and alone and set(batches[0]) == BATCH_KEYS

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> Batch:
        output = super()._generate_and_score_completions(inputs)
        if self.rollout_log is not None and self.accelerator.is_main_process:
            prompt = first_prompt(self._tokenizer, output["prompt_ids"], output["prompt_mask"])
            self.rollout_log.save_prompts(prompt, None)
        return output

    def correctness(self, completion_ids: list[list[int]], problem_id: list[str], **_: object) -> list[float | None]:
        """Reward of each rollout: its score, else 1 correct, 0 wrong or unparseable; None for a timeout or error."""
        problems = [self.problems[i] for i in problem_id]
        rollouts = make_rollouts(problems, completion_ids, self._tokenizer, self.eos_token_ids)
        rollouts = [r.graded(grade) for r, grade in zip(rollouts, self.grade(rollouts), strict=True)]
        for key, value in outcome_rates(rollouts).items():
            self._metrics["train" if self.model.training else "eval"][key].append(value)
        if self.rollout_log is not None and self.model.training:
            step = self.state.global_step + 1
            self.rollout_log.add(step, rollouts, write=self.accelerator.is_main_process)
        return [rollout.grade.reward if rollout.grade else None for rollout in rollouts]
