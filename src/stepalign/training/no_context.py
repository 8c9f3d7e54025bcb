"""Training in which no rollout gets a context learns nothing: it stops, and says why there was none.

A rollout counts as one without where it has no context, or one that the teacher's prompt has no room for. Nothing is
saved on the way out: those steps changed no weights by a context, and a run that is started again goes back to its last
checkpoint in any case.
"""

from __future__ import annotations

from collections import Counter

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stepalign.core.errors import ConfigError, CriticError, StepalignError
from stepalign.feedback.critics.recorded import RecordedCritic
from stepalign.feedback.formats import AskCritic, feedback_class
from stepalign.runs.files import LEDGER, ROLLOUTS
from stepalign.runs.row import read_mapping
from stepalign.runs.rows import LedgerRow
from stepalign.settings.run import Run
from stepalign.training.rollouts import RolloutLog


class StopWithoutContext(TrainerCallback):
    """Raises after `max_steps_without_context` steps in a row; every process counts the rollouts of all."""

    def __init__(self, run: Run, rollout_log: RolloutLog, critic: AskCritic | None = None):
        self.run, self.rollout_log, self.critic = run, rollout_log, critic
        self.num_steps, self.without = 0, Counter[str]()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """Count the step.

        Raises:
            CriticError, ConfigError: it was one too many.
        """
        log = self.rollout_log
        if log.step != state.global_step:  # rollouts of an earlier step, used again
            return
        if log.statuses["ok"]:
            self.num_steps, self.without = 0, Counter[str]()
            return
        self.num_steps += 1
        self.without += log.statuses
        if self.num_steps == self.run.training.max_steps_without_context:
            raise self._error(state.global_step)

    def _error(self, step: int) -> StepalignError:
        counts = ", ".join(f"{status} {count}" for status, count in sorted(self.without.items()))
        why, kind = self._why()
        many = f"{self.num_steps} steps in a row" if self.num_steps > 1 else "a whole step"
        return kind(
            f"step {step}: no rollout got a context in {many}, so nothing is learned (context_status in {ROLLOUTS}: "
            f"{counts}). {why} Then run the same command: it goes on from the last checkpoint. "
            f"max_steps_without_context (now {self.num_steps}; 0: never) says when to stop."
        )

    def _why(self) -> tuple[str, type[StepalignError]]:
        training = self.run.training
        if self.without["too_long"] > self.without["none"]:
            limit = training.max_teacher_prompt_length
            return f"The teacher's prompts are too long: raise max_teacher_prompt_length (now {limit}).", ConfigError
        rejected = LedgerRow.read(LEDGER, read_mapping(self.run.directory / LEDGER)).num_rejected
        if rejected:
            reasons = ", ".join(f"{reason} {count}" for reason, count in rejected.items())
            said = self.critic.last_words if isinstance(self.critic, RecordedCritic) else ""
            heard = f" The last answer was: {said}." if said else ""
            return (
                f"The critic gave no usable critique (num_rejected in {LEDGER}: {reasons}).{heard} Mend it.",
                CriticError,
            )
        lacks = feedback_class(training.condition).needs
        if lacks:
            return f"Each rollout of {training.condition} needs {lacks}.", ConfigError
        return f"The feedback format '{training.condition}' made none: look at what it returns.", ConfigError
