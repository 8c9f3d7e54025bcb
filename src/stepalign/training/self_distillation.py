"""Self-distillation: on its own rollouts the student is pulled, token by token, towards the self-teacher.

The student sees the problem; the self-teacher, the same model (as it was before training, unless `teacher` says
otherwise), sees the problem and a context. `SelfDistillationTrainer` is glue over `trl.DistillationTrainer`:
generation, distribution over devices, checkpoints and trackers are TRL's. Two of its hooks are replaced:

- `_generate_and_score_completions`: after the rollouts, ask the feedback format for contexts, add teacher prompts.
- `_compute_loss`: student and teacher each on their own prompt, then `maths.divergence` on their hidden states.

    >>> from stepalign.feedback.from_references import RefSol
    >>> from stepalign.settings.trainer import SelfDistillationConfig
    >>> args = SelfDistillationConfig("out", max_steps=1, per_device_train_batch_size=2, max_completion_length=40)
    >>> trainer = SelfDistillationTrainer(
    ...     model, feedback=RefSol(), problems=problems, args=args, prompt_templates="bare", processing_class=tokenizer
    ... )
    >>> trainer.train().global_step
    {'loss': ...
    1
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from accelerate.utils import gather_object
from datasets import Dataset
from torch.nn import Module
from transformers import PreTrainedModel
from transformers.integrations import is_deepspeed_zero3_enabled
from trl import DistillationTrainer
from trl.trainer.utils import pad

from stepalign.core.critique import Context
from stepalign.core.problem import Problem
from stepalign.core.prompts import render_prompt
from stepalign.core.rollout import Rollout
from stepalign.core.tokenizer import Tokenizer
from stepalign.feedback.formats import FeedbackFormat
from stepalign.maths.divergence import divergence_loss, per_token_scores
from stepalign.models.head import detached_head, head_of
from stepalign.models.prompts import chat_prompts
from stepalign.runs.files import checkpoint_directory
from stepalign.settings.trainer import SelfDistillationConfig
from stepalign.training.generation import OwnRollouts
from stepalign.training.length_bucketing import (
    ONE_PASS,
    PASS_COST,
    BucketedStates,
    Sequences,
    bucketed_hidden_states,
)
from stepalign.training.model_card import OwnCard
from stepalign.training.rollouts import GradeRollouts, RolloutLog, first_prompt, make_rollouts, outcome_rates
from stepalign.training.signal import signal_metrics, signal_sums
from stepalign.training.teachers import TeacherUpdates, make_teacher
from stepalign.training.trl_hooks import check_hooks

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class TeacherPrompts:
    """The teacher's prompt of each rollout. A rollout without one ("none", "too_long") carries no loss."""

    token_ids: list[list[int]]
    statuses: list[str]


def student_dataset(problems: Sequence[Problem], prompt_templates: str) -> Dataset:
    """The dataset TRL trains on: a conversational prompt and the problem's id."""
    prompts = [render_prompt(prompt_templates, "student", problem=p) for p in problems]
    return Dataset.from_list(
        [
            {"prompt": [{"role": "user", "content": prompt}], "problem_id": problem.id}
            for prompt, problem in zip(prompts, problems, strict=True)
        ]
    )


class SelfDistillationTrainer(OwnCard, OwnRollouts, DistillationTrainer):
    """TRL's distillation trainer with the model itself, given a context, as its teacher.

    Args:
        model: a causal LM (with a PEFT adapter or none), or what TRL accepts as one.
        feedback: the format that makes a context of each rollout.
        problems: what `train_dataset` is made of.
        prompt_templates: family of the prompts, see `core.prompts`.
        max_teacher_prompt_length: tokens; a longer teacher prompt is skipped and counted, never cut.
        grade: grades rollouts for the record; None leaves them ungraded.
        rollout_log: where rollouts are recorded; None records nothing.
        Others are TRL's.
    """

    args: SelfDistillationConfig
    model: PreTrainedModel
    chat_template_kwargs: dict[str, object]
    _tokenizer: Tokenizer

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        feedback: FeedbackFormat,
        problems: Sequence[Problem],
        args: SelfDistillationConfig,
        prompt_templates: str = "steps",
        max_teacher_prompt_length: int = 4096,
        grade: GradeRollouts | None = None,
        rollout_log: RolloutLog | None = None,
        **kwargs: Any,
    ):
        super().__init__(model=model, args=args, train_dataset=student_dataset(problems, prompt_templates), **kwargs)
        self.feedback = feedback
        self.problems = {problem.id: problem for problem in problems}
        self.prompt_templates = prompt_templates
        self.max_teacher_prompt_length = max_teacher_prompt_length
        self.teacher_template_kwargs = cast("dict[str, object]", args.teacher_chat_template_kwargs or {})
        self.grade = grade
        self.rollout_log = rollout_log
        student = cast("PreTrainedModel", self.accelerator.unwrap_model(self.model))
        sharded = self.is_fsdp_enabled or is_deepspeed_zero3_enabled()
        self.teacher = make_teacher(
            args.teacher, student, decay=args.teacher_ema_decay, sharded=sharded, device=self.accelerator.device
        )
        self.add_callback(TeacherUpdates(self.teacher, student))
        self.passes = self._plan_passes()
        check_hooks(self)

    def _plan_passes(self) -> tuple[int | None, int]:
        """The most tokens of a pass, and what a pass costs; one pass where several are not safe or not possible."""
        checkpointing = cast("dict[str, object]", self.args.gradient_checkpointing_kwargs or {})
        reentrant = self.args.gradient_checkpointing and checkpointing.get("use_reentrant", False)
        if not (self.is_fsdp_enabled or self.is_deepspeed_enabled or reentrant):
            return self.args.max_tokens_per_pass, PASS_COST.get(self.accelerator.device.type, PASS_COST["cuda"])
        if self.args.max_tokens_per_pass is not None:
            warnings.warn(
                "max_tokens_per_pass has no effect with FSDP, DeepSpeed or reentrant checkpointing.", stacklevel=2
            )
        return None, ONE_PASS

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> Batch:
        output: Batch = super()._generate_and_score_completions(inputs)
        lengths = output["completion_mask"].sum(dim=1).tolist()
        token_ids = [ids[:n].tolist() for ids, n in zip(output["completion_ids"], lengths, strict=True)]
        problems = [self.problems[row["problem_id"]] for row in inputs]
        rollouts = make_rollouts(problems, token_ids, self._tokenizer, self.eos_token_ids)
        if self.grade is not None:
            rollouts = [r.graded(grade) for r, grade in zip(rollouts, self.grade(rollouts), strict=True)]
        contexts = self.feedback.contexts(rollouts)
        teacher = self.teacher_prompts(rollouts, contexts)
        self._record(rollouts, contexts, teacher.statuses)

        device = output["completion_ids"].device
        prompts = [torch.tensor(ids) for ids in teacher.token_ids]
        output["teacher_prompt_ids"] = pad(prompts, self._tokenizer.pad_token_id, "left").to(device)
        output["teacher_prompt_mask"] = pad([torch.ones_like(p) for p in prompts], 0, "left").to(device)
        taught = torch.tensor([status == "ok" for status in teacher.statuses], device=device)
        output["loss_mask"] = output["completion_mask"] * taught[:, None]
        output["loss_mask"][:, : self.args.mask_first_tokens] = 0
        output["num_items_in_batch"] = self.accelerator.gather(output["loss_mask"].sum()).sum()  # pyright: ignore
        if self.rollout_log is not None and self.accelerator.is_main_process and "ok" in teacher.statuses:
            row = teacher.statuses.index("ok")
            student, tutor = (
                first_prompt(self._tokenizer, output[f"{name}_ids"], output[f"{name}_mask"], row)
                for name in ("prompt", "teacher_prompt")
            )
            self.rollout_log.save_prompts(student, tutor)
        return output

    def teacher_prompts(self, rollouts: Sequence[Rollout], contexts: Sequence[Context | None]) -> TeacherPrompts:
        """Token ids of each teacher prompt; where there is none, a padding token stands in and the status says why."""
        texts = [
            render_prompt(self.prompt_templates, "teacher", problem=r.problem, context=c) if c is not None else ""
            for r, c in zip(rollouts, contexts, strict=True)
        ]
        prompts = chat_prompts(self._tokenizer, texts, self.teacher_template_kwargs)
        token_ids: list[list[int]] = []
        statuses: list[str] = []
        for context, (_, ids) in zip(contexts, prompts, strict=True):
            fits = len(ids) <= self.max_teacher_prompt_length
            statuses.append("none" if context is None else "ok" if fits else "too_long")
            token_ids.append(ids if statuses[-1] == "ok" else [self._tokenizer.pad_token_id])
        return TeacherPrompts(token_ids, statuses)

    def _record(self, rollouts: list[Rollout], contexts: Sequence[Context | None], statuses: list[str]) -> None:
        metrics = self._metrics["train" if self.model.training else "eval"]
        of_all = gather_object(statuses)
        for status in ("none", "too_long"):
            metrics[f"feedback/{status}_rate"].append(of_all.count(status) / len(of_all))
        metrics["feedback/skipped_rate"].append(1 - of_all.count("ok") / len(of_all))
        for key, value in outcome_rates(rollouts).items():
            metrics[key].append(value)
        if self.rollout_log is not None and self.model.training:
            step = self.state.global_step + 1
            self.rollout_log.add(step, rollouts, contexts, statuses, write=self.accelerator.is_main_process)

    def _compute_loss(
        self, unwrapped_student: PreTrainedModel, inputs: Batch, num_items_in_batch: torch.Tensor | float | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        student = self._hidden_states(unwrapped_student, inputs, "prompt")
        with torch.no_grad(), self.teacher_policy(unwrapped_student) as policy:
            teacher = self._hidden_states(policy, inputs, "teacher_prompt")
            teacher_head = detached_head(policy)  # here: its weights are in place only inside
        completion_ids = inputs["completion_ids"]
        args, head, mask = self.args, head_of(unwrapped_student), inputs["loss_mask"].bool()
        output = divergence_loss(
            student.hidden,
            teacher.hidden,
            head,
            completion_ids,
            mask,
            teacher_head=teacher_head,
            kind=args.divergence,
            beta=cast("float", args.beta),
            temperature=args.loss_temperature,
            clip=args.divergence_clip,
            top_k=args.divergence_top_k,
            normalizer=num_items_in_batch,
        )
        first = output.advantage[:, 0]
        if args.mask_first_tokens:  # it carries no loss; what the teacher makes of it is shown all the same
            at, ids = mask.any(dim=1, keepdim=True), completion_ids[:, :1]
            states = student.hidden[:, :1], teacher.hidden[:, :1]
            first = per_token_scores(*states, head, ids, at, teacher_head=teacher_head).advantage[:, 0]
        self._signal = signal_sums(output, first, mask, (student, teacher))
        return output.loss, output.entropy.sum(), mask.sum()

    def _hidden_states(self, model: PreTrainedModel, inputs: Batch, prompt: str) -> BucketedStates:
        ids, mask = inputs[f"{prompt}_ids"], inputs[f"{prompt}_mask"]
        batch = Sequences(ids, mask, inputs["completion_ids"], inputs["completion_mask"], inputs["loss_mask"])
        return bucketed_hidden_states(partial(self._get_last_hidden_state, model), batch, *self.passes)

    def compute_loss(
        self,
        model: Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """TRL's, which leads to `_compute_loss`: the loss () of a micro-batch. Metrics of the signal join TRL's."""
        with self.accelerator.autocast():  # TRL's detour to the backbone leaves out the forward that has it
            loss = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        values = signal_metrics(self.accelerator.gather(self._signal[None]).sum(dim=0))  # pyright: ignore
        for key, value in values.items():
            if key != "divergence/clipped_share" or self.args.divergence_clip is not None:
                self._metrics["train" if self.model.training else "eval"][key].append(value)
        return loss

    def teacher_policy(self, unwrapped_student: PreTrainedModel) -> AbstractContextManager[PreTrainedModel]:
        """The self-teacher's model, in evaluation mode, for as long as the context is open."""
        return self.teacher.policy(unwrapped_student)

    def _save_checkpoint(self, model: Module, trial: object) -> None:
        super()._save_checkpoint(model, trial)
        if self.accelerator.is_main_process:
            self.teacher.save(checkpoint_directory(Path(str(self.args.output_dir)), self.state.global_step))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Module | None = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        self.teacher.load(Path(resume_from_checkpoint))
