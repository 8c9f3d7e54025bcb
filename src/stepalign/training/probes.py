"""Probes: the signal on a few fixed rollouts, measured again and again while a model trains.

Kept are the first rollouts of the first step whose answer is wrong, whose teacher has a prompt that fits, and whose
first wrong step has a correct one before it. Conditions with the same seed share them. Before training, and then every
`probe_steps` steps, each is scored: the student as it is now against the teacher that the loss uses, A_t per token, and
from it how well A_t tells the wrong step (`stepalign.maths.localization`). What falls to 0 was learned; what stays
below 0 on correct steps is a pull away from them that training has not overcome.

A probe's rollout stays the one that the initial policy wrote: it is the student that moves. Probing draws no random
number, restores the model's mode, and leaves the run's own numbers alone. It keeps nothing from step to step but files:

    probes.jsonl              step (0: before training), probe, problem_id, context, A_t of each token, localization
    probes/rollouts.jsonl     what is probed
    probes/ledger.json        of the critic, where it was asked for the probes alone

    >>> trainer.add_callback(Probes(trainer, directory, context="refsol", every=10, num_probes=8, critic=None))
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, cast

from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stepalign.core.critique import Context, Critique
from stepalign.core.files import keep_rows, write_jsonl
from stepalign.core.prompts import render_prompt
from stepalign.core.rollout import Rollout
from stepalign.core.spans import rollout_tokens
from stepalign.feedback.critiques import first_wrong_step
from stepalign.feedback.formats import AskCritic, FeedbackFormat
from stepalign.maths.localization import localization
from stepalign.models.prompts import chat_prompts
from stepalign.models.scoring import Scorable, score_responses
from stepalign.runs.files import PROBED, PROBES
from stepalign.runs.row import append_rows, read_rows
from stepalign.runs.rows import ProbedRow, ProbeRow
from stepalign.training.self_distillation import SelfDistillationTrainer

DIGITS = 4  # of A_t in the file
CANDIDATES = 4  # rollouts looked at for each probe that is wanted: the most that a critic is asked about
METRICS = (
    "mean_advantage",
    "auroc",
    "mean_correct",
    "mean_wrong",
    "negative_mass_share",
    "pushed_down_rate",
    "first_token",
)


class Watched(FeedbackFormat):
    """A format that shows what it made to `look`; its contexts are those of the format inside."""

    def __init__(
        self, inner: FeedbackFormat, look: Callable[[Sequence[Rollout], Sequence[Context | None]], None]
    ) -> None:
        super().__init__(inner.critic)
        self.inner, self.look = inner, look

    def contexts(self, rollouts: Sequence[Rollout]) -> list[Context | None]:
        """Those of the format inside."""
        contexts = self.inner.contexts(rollouts)
        self.look(rollouts, contexts)
        return contexts


class Probes(TrainerCallback):
    """Scores the probes of one self-distillation run, on its main process.

    Args:
        trainer: of the run; its feedback format is watched for the first step's rollouts.
        directory: of the run.
        context: the context's name in the rows: the condition.
        every: optimizer steps from one scoring to the next.
        num_probes: rollouts probed, at most.
        critic: says where rollouts go wrong whose context comes without a critique; asked once, about a few. None: such
            rollouts are no probes.
    """

    def __init__(
        self,
        trainer: SelfDistillationTrainer,
        directory: Path,
        *,
        context: str,
        every: int,
        num_probes: int,
        critic: AskCritic | None = None,
    ) -> None:
        self.trainer, self.directory, self.context = trainer, directory, context
        self.every, self.num_probes, self.critic = every, num_probes, critic
        self.probes: list[ProbedRow] = []
        sharded = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
        if sharded:
            warnings.warn("probe_steps has no effect under FSDP or DeepSpeed: a shard cannot be scored.", stacklevel=2)
        elif trainer.accelerator.is_main_process:
            trainer.feedback = Watched(trainer.feedback, self.choose)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """A resumed run probes what it probed before."""
        if state.is_world_process_zero and state.global_step:  # the first step's rollouts are gone
            self.probes = read_rows(self.directory / PROBED, ProbedRow)
            keep_rows(self.directory / PROBES, lambda row: row["step"] <= state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """Score the probes every so many steps."""
        if self.probes and state.global_step % self.every == 0:
            append_rows(self.directory / PROBES, *self.score(state.global_step))

    def choose(self, rollouts: Sequence[Rollout], contexts: Sequence[Context | None]) -> None:
        """At the first step: choose the probes, write them down, and score them before the model changes."""
        if self.trainer.state.global_step or not self.trainer.model.training:
            return
        teacher = self.trainer.teacher_prompts(rollouts, contexts)
        taught = [i for i, status in enumerate(teacher.statuses) if status == "ok"]
        failed = [i for i in taught if (grade := rollouts[i].grade) is None or not grade.is_correct]
        failed = failed[: CANDIDATES * self.num_probes]
        critiques = self._critiques([rollouts[i] for i in failed], [contexts[i] for i in failed])
        wrong = {i: first_wrong_step(rollouts[i], c) for i, c in zip(failed, critiques, strict=True) if c is not None}
        chosen = [(i, step) for i, step in wrong.items() if step is not None and step > 1]
        self.probes = [
            self._describe(rollouts[i], list(teacher.token_ids[i]), step) for i, step in chosen[: self.num_probes]
        ]
        write_jsonl(self.directory / PROBED, (probe.to_json() for probe in self.probes))
        write_jsonl(self.directory / PROBES, (row.to_json() for row in self.score(0)))
        if not self.probes:
            warnings.warn(
                "no rollout of the first step can be probed: none is known to go wrong after a correct step. "
                "probe_steps has no effect in this run. Where contexts come without a critique, set a critic.",
                stacklevel=2,
            )

    def score(self, step: int) -> list[ProbeRow]:
        """The rows of one step; their means go to TRL's metrics, and with them to the trackers and `metrics.jsonl`."""
        student = cast("PreTrainedModel", self.trainer.accelerator.unwrap_model(self.trainer.model))
        items = [Scorable(p.student_prompt_ids, {self.context: p.teacher_prompt_ids}, p.token_ids) for p in self.probes]
        # one at a time: probing must not need more memory than a training step
        scores = score_responses(student, items, teacher=lambda: self.trainer.teacher_policy(student), batch_size=1)
        measured: list[dict[str, Any]] = []
        for probe, scored in zip(self.probes, scores, strict=True):
            advantage = scored[self.context].advantage.tolist()
            located = localization(advantage, probe.token_steps, probe.first_wrong_step)
            kept = [round(value, DIGITS) for value in advantage]
            measured.append({"mean_advantage": fmean(advantage), "advantage": kept, **located.to_json()})
        for key in METRICS:
            values = [row[key] for row in measured if row[key] is not None]
            if values:
                self.trainer._metrics["train"][f"probe/{key}"].append(fmean(values))
        return [
            ProbeRow(step=step, probe=i, problem_id=probe.problem_id, context=self.context, **row)
            for i, (probe, row) in enumerate(zip(self.probes, measured, strict=True))
        ]

    def _critiques(self, rollouts: Sequence[Rollout], contexts: Sequence[Context | None]) -> list[Critique | None]:
        """The critique that each context came from, or else the critic's; None where nobody knows."""
        critiques = [context.critique if context is not None else None for context in contexts]
        asked = [i for i, critique in enumerate(critiques) if critique is None]
        if self.critic is not None and asked:
            for i, critique in zip(asked, self.critic([rollouts[i] for i in asked]), strict=True):
                critiques[i] = critique
        return critiques

    def _describe(self, rollout: Rollout, teacher_prompt_ids: list[int], first_wrong_step: int) -> ProbedRow:
        trainer = self.trainer
        text = render_prompt(trainer.prompt_templates, "student", problem=rollout.problem)
        (prompt,) = chat_prompts(trainer._tokenizer, [text], trainer.chat_template_kwargs)
        tokens = rollout_tokens(trainer._tokenizer, rollout)
        return ProbedRow(
            problem_id=rollout.problem.id,
            sample=rollout.sample,
            text=rollout.text,
            token_ids=list(rollout.token_ids),
            tokens=list(tokens.texts),
            token_steps=list(tokens.steps),
            student_prompt_ids=prompt.ids,
            teacher_prompt_ids=teacher_prompt_ids,
            first_wrong_step=first_wrong_step,
        )
