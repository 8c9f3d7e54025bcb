"""GRPO: the baseline, over `trl.GRPOTrainer` with our grader as its reward. No critic, no self-distillation.

The advantage of a rollout is (r - mean) / std within the group of its prompt, r = 1 for a correct answer and 0 for a
wrong or unparseable one. A timeout is no grade at all: TRL leaves such a rollout out of its group's baseline.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from trl import GRPOConfig, GRPOTrainer

from stepalign.core.problem import Problem
from stepalign.core.rollout import Outcome
from stepalign.training.arguments import SelfDistillationConfig
from stepalign.training.generation import OwnRollouts
from stepalign.training.rollouts import GradeRollouts, RolloutLog, first_prompt, make_rollouts, outcome_rates
from stepalign.training.self_distillation import student_dataset

# Names that both configurations have with different meanings: TRL's GRPO keeps its own defaults.
NOT_SHARED = {"beta", "vllm_structured_outputs_regex"}


def grpo_config(args: SelfDistillationConfig, num_generations: int) -> GRPOConfig:
    """The same settings for GRPO: as many prompts a step, `num_generations` rollouts for each.

    Micro-batches keep their size, so accumulation grows by `num_generations` and a step needs no more memory.
    """
    shared = {f.name for f in dataclasses.fields(GRPOConfig) if f.init} - NOT_SHARED
    values = {f.name: getattr(args, f.name) for f in dataclasses.fields(args) if f.init and f.name in shared}
    values["gradient_accumulation_steps"] = args.gradient_accumulation_steps * num_generations
    return GRPOConfig(**values, num_generations=num_generations, scale_rewards="group")


class GroupTrainer(OwnRollouts, GRPOTrainer):
    """TRL's GRPO trainer on our problems, with graded answers as reward and rollouts recorded."""

    model: Any
    args: Any

    def __init__(
        self,
        model: Any,
        *,
        problems: Sequence[Problem],
        args: GRPOConfig,
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

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        generated = super()._generate_single_turn(*args, **kwargs)
        # GRPO also expects the sampler's log-probabilities; None makes it compute them where it needs them
        return generated if isinstance(generated, tuple) else (generated, None)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        if self.rollout_log is not None and self.accelerator.is_main_process:
            prompt = first_prompt(self._tokenizer, output["prompt_ids"], output["prompt_mask"])
            self.rollout_log.save_prompts(prompt, None)
        return output

    def correctness(self, completion_ids: list[list[int]], problem_id: list[str], **_: Any) -> list[float | None]:
        """Reward of each rollout: 1 correct, 0 wrong or unparseable, None for a timeout."""
        problems = [self.problems[i] for i in problem_id]
        rollouts = make_rollouts(problems, completion_ids, self._tokenizer, self.eos_token_ids)
        rollouts = [r.graded(grade) for r, grade in zip(rollouts, self.grade(rollouts), strict=True)]
        for key, value in outcome_rates(rollouts).items():
            self._metrics["train" if self.model.training else "eval"][key].append(value)
        if self.rollout_log is not None and self.model.training:
            step = self.state.global_step + 1
            self.rollout_log.add(step, rollouts, write=self.accelerator.is_main_process)
        rewards: list[float | None] = []
        for rollout in rollouts:
            outcome = rollout.grade.outcome if rollout.grade else Outcome.TIMEOUT
            rewards.append(None if outcome is Outcome.TIMEOUT else float(outcome is Outcome.CORRECT))
        return rewards
