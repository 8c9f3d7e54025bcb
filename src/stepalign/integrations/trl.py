"""Live feedback in TRL's own trainers: a reward function that also says, of each rollout, what its self-teacher sees.

docs/integrations.md shows a training with it. What takes it:

    GRPOTrainer and others with reward_funcs   as reward function; with feedback=None it grades alone
    SDPOTrainer (trl.experimental)             the same, and `attach`
    SDFTTrainer (trl.experimental)             has no place: it reads contexts from the dataset, before it samples; they
                                               are written by `stepalign critique --export trl`

A prompt belongs to the problem whose text it holds. Without problems each prompt is one, and the dataset's column
answer, ground_truth, gold or target is its right answer.

>>> feedback = LiveFeedback(problems, critic="exact")
>>> prompts = [f"{problem.problem} Think step by step." for problem in problems[:2]]
>>> feedback(prompts, [f"<answer>{problems[0].answer}</answer>", "<answer>none</answer>"])
[1.0, 0.0]
>>> feedback.close()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from stepalign.core.errors import ConfigError
from stepalign.core.own import name_of
from stepalign.core.problem import Problem
from stepalign.data.logged import parse_rollouts
from stepalign.data.problems import load_problems
from stepalign.data.row import Row
from stepalign.feedback.critics.recorded import make_recorded_critic
from stepalign.feedback.formats import FeedbackFormat, feedback_class
from stepalign.settings.commands import CRITIQUE
from stepalign.settings.given import given_values
from stepalign.settings.grading import GradingSettings, make_grader
from stepalign.settings.resolve import resolve_critic

BUILDER = "teacher_context_builder"  # of SDPOTrainer: what makes the teacher's prompts of a batch


class LiveFeedback:
    """A reward function of TRL that keeps the contexts of the rollouts that it was last called with.

    Args:
        problems: what `load_problems` reads; None: each prompt of the dataset is one.
        feedback: the format of the contexts; None: none, only rewards.
        output_dir: where the critic's ledger goes.
        given: settings of `stepalign critique` about critic and grading; both may be functions.
    Raises:
        ConfigError: the format needs a critic and none is set, or a setting is unknown or wrong.
        DataError: the problems cannot be read.
    """

    def __init__(
        self,
        problems: object = None,
        *,
        feedback: str | None = "stepalign",
        output_dir: str | Path = "feedback",
        **given: object,
    ) -> None:
        names = {key: name_of(value) if callable(value) else value for key, value in given.items()}
        asked = given_values(CRITIQUE, None, names)
        self.problems: list[Problem] | None = None if problems is None else load_problems(problems)
        self.grader = make_grader(asked.make(GradingSettings))
        self.contexts: list[str | None] = []
        self.__name__ = "stepalign"  # TRL's name of its metrics
        self._format: FeedbackFormat | None = None
        if feedback is not None:
            critic = make_recorded_critic(resolve_critic(asked), self.grader.grade, Path(output_dir))
            self._format = feedback_class(feedback)(critic, problems=self.problems or ())

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """The rewards of a batch, None where grading itself failed, which TRL leaves out.

        Args:
            prompts: texts or conversations.
            completions: the same.
            columns: further columns of the dataset, and what TRL hands to reward functions.
        """
        pairs = zip(prompts, completions, strict=True)
        rows = [
            Row(f"rollout {i} of the batch", {**_own(columns, i, len(prompts)), "prompt": prompt, "completion": said})
            for i, (prompt, said) in enumerate(pairs)
        ]
        rollouts = parse_rollouts(rows, self.problems, "trl")
        grades = self.grader.grade_all((rollout.text, rollout.problem) for rollout in rollouts)
        graded = [rollout.graded(grade) for rollout, grade in zip(rollouts, grades, strict=True)]
        found = self._format.contexts(graded) if self._format is not None else [None] * len(graded)
        self.contexts = [None if context is None else context.text for context in found]
        _log(columns, self.contexts)
        return [None if rollout.grade is None else rollout.grade.reward for rollout in graded]

    def attach(self, trainer: Any) -> None:
        """Give an `SDPOTrainer` the contexts as its environment's feedback, in the place of the dataset's.

        Raises:
            ConfigError: the trainer makes no teacher prompts of feedback, ignores it, or does not call this object.
        """
        builder = getattr(trainer, BUILDER, None)
        if builder is None or not hasattr(builder, "build"):
            raise ConfigError(
                f"attach: got {type(trainer).__name__}, which has no {BUILDER}; expected SDPOTrainer of TRL 1.16. "
                "Other trainers take this object as a reward function alone."
            )
        if self._format is None:
            raise ConfigError("attach: got feedback=None, which makes no contexts; expected the name of a format.")
        if self not in trainer.reward_funcs:
            raise ConfigError("attach: the trainer does not call it. Give it as reward_funcs, too.")
        if not trainer.args.include_environment_feedback:
            raise ConfigError(
                "attach: the trainer ignores feedback. Set include_environment_feedback=True in its args."
            )
        build: Callable[..., Any] = builder.build

        def build_with_ours(batch: Any, prompts: Any, rewards: Any, feedbacks: Any = None) -> Any:
            return build(batch, prompts, rewards, feedbacks=self.contexts)

        builder.build = build_with_ours

    def close(self) -> None:
        """End the grader's processes."""
        self.grader.close()


def _own(columns: Mapping[str, Any], index: int, count: int) -> dict[str, Any]:
    """The row's values of the dataset's columns."""
    lists = {key: cast("Sequence[Any]", value) for key, value in columns.items() if isinstance(value, list)}
    return {key: value[index] for key, value in lists.items() if len(value) == count}


def _log(columns: Mapping[str, Any], contexts: Sequence[str | None]) -> None:
    """Tell trainers that ask for it, as GRPOTrainer does."""
    if (log_extra := columns.get("log_extra")) is not None:
        log_extra("feedback", [context or "" for context in contexts])
    if (log_metric := columns.get("log_metric")) is not None:
        log_metric("feedback/context_rate", sum(context is not None for context in contexts) / max(len(contexts), 1))
