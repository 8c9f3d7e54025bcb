"""How good the self-teacher still is: at each checkpoint it answers once for some of the newest rollouts, with the
contexts that these got, and its answers are graded.

A context may stop helping while a model trains: critiques of better rollouts say less, and a teacher that moves along
(`teacher: ema` or `live`) may forget how to read them. What it no longer solves it cannot teach.

    teacher.jsonl      step, num_rollouts, teacher (share solved with the context), student (share of these rollouts
                       that were right), failures (share solved of those that were wrong)

    >>> from stepalign.models.sampling import Sampling
    >>> sampling = Sampling(num_samples=1, max_new_tokens=160)
    >>> trainer.add_callback(ProbeTeacher(trainer, directory, num_rollouts=16, grade=grader.grade, sampling=sampling))
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stepalign.core.critique import Context
from stepalign.core.rollout import Rollout
from stepalign.evaluation.evaluate import eos_token_ids, rollout_of
from stepalign.models.sampling import Sampling, sample_responses
from stepalign.runs.files import TEACHER
from stepalign.runs.row import append_rows
from stepalign.runs.rows import TeacherRow
from stepalign.training.probes import Watched
from stepalign.training.rollouts import GradeRollouts
from stepalign.training.self_distillation import SelfDistillationTrainer


class ProbeTeacher(TrainerCallback):
    """Works on the main process, on that process's own rollouts.

    Args:
        trainer: of the run; its feedback format is watched.
        directory: of the run.
        num_rollouts: how many of a step are answered, the first ones whose teacher's prompt fits.
        grade: grades responses.
        sampling: of the teacher's responses; one each, whatever its `num_samples`.
    """

    def __init__(
        self,
        trainer: SelfDistillationTrainer,
        directory: Path,
        *,
        num_rollouts: int,
        grade: GradeRollouts,
        sampling: Sampling,
    ) -> None:
        self.trainer, self.path, self.num_rollouts = trainer, directory / TEACHER, num_rollouts
        self.grade, self.sampling = grade, replace(sampling, num_samples=1)
        self.newest: tuple[Sequence[Rollout], Sequence[Context | None]] = ((), ())
        if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
            warnings.warn("probe_teacher has no effect under FSDP or DeepSpeed: a shard cannot sample.", stacklevel=2)
        elif trainer.accelerator.is_main_process:
            trainer.feedback = Watched(trainer.feedback, self.keep)

    def keep(self, rollouts: Sequence[Rollout], contexts: Sequence[Context | None]) -> None:
        """The rollouts of the newest step with their contexts."""
        self.newest = rollouts, contexts

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """Ask the teacher, and record how it did."""
        if state.is_world_process_zero and self.newest[0]:
            append_rows(self.path, self.measure(state.global_step))

    def measure(self, step: int) -> TeacherRow:
        """The row of a step; its shares also go to TRL's metrics, and with them to the trackers."""
        trainer, (rollouts, contexts) = self.trainer, self.newest
        prompts = trainer.teacher_prompts(rollouts, contexts)
        used = [i for i, status in enumerate(prompts.statuses) if status == "ok"][: self.num_rollouts]
        student = cast("PreTrainedModel", trainer.accelerator.unwrap_model(trainer.model))
        ids, ends = [prompts.token_ids[i] for i in used], eos_token_ids(student, trainer._tokenizer)
        with trainer.teacher_policy(student) as teacher:
            batches = sample_responses(teacher, ids, self.sampling, ends)
            answers = {response.prompt: response for batch in batches for response in batch}
        answered = [rollout_of(rollouts[i].problem, answers[n], trainer._tokenizer, ends) for n, i in enumerate(used)]
        solved = [grade.is_correct for grade in self.grade(answered)]
        right = [(grade := rollouts[i].grade) is not None and grade.is_correct for i in used]
        shares = {
            "teacher": _share(solved),
            "student": _share(right),
            "failures": _share([s for s, r in zip(solved, right, strict=True) if not r]),
        }
        for name, share in shares.items():
            if share is not None:
                trainer._metrics["train"][f"teacher/{name}"].append(share)
        return TeacherRow(step=step, num_rollouts=len(used), **shares)


def _share(flags: Sequence[bool]) -> float | None:
    return sum(flags) / len(flags) if flags else None
