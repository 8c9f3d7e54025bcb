"""A model with its two prompts: how the student and the self-teacher are asked, and what A_t is between them.

>>> policy = Policy(model, tokenizer, prompt_templates="bare")
>>> (scores,) = policy.score([(rollout, {"refsol": Context(rollout.problem.solution)})])
>>> scores["refsol"].advantage.shape == (rollout.num_tokens,)       # A_t, (T,), nats
True
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from transformers import PreTrainedModel

from stepalign.core.critique import Context
from stepalign.core.problem import Problem
from stepalign.core.prompts import render_prompt
from stepalign.core.rollout import Rollout
from stepalign.core.tokenizer import Tokenizer
from stepalign.models.loading import load_model
from stepalign.models.prompts import chat_prompts, encode
from stepalign.models.scoring import Scorable, TokenScores, score_responses
from stepalign.settings.run import Run


@dataclass(frozen=True)
class Policy:
    """`chat_template_kwargs` are the student's; a teacher's prompt longer than the limit is never cut."""

    model: PreTrainedModel
    tokenizer: Tokenizer
    prompt_templates: str = "steps"
    chat_template_kwargs: Mapping[str, object] | None = None
    teacher_chat_template_kwargs: Mapping[str, object] | None = None
    max_teacher_prompt_length: int = 4096
    batch_size: int = 8  # sequences that are scored in one forward pass

    def student_prompt(self, problem: Problem) -> list[int]:
        """Token ids of the student's prompt."""
        text = render_prompt(self.prompt_templates, "student", problem=problem)
        return chat_prompts(self.tokenizer, [text], self.chat_template_kwargs)[0].ids

    def teacher_prompt(self, problem: Problem, context: Context) -> list[int] | None:
        """Token ids of the self-teacher's prompt, None where it is longer than the limit."""
        text = render_prompt(self.prompt_templates, "teacher", problem=problem, context=context)
        ids = chat_prompts(self.tokenizer, [text], self.teacher_chat_template_kwargs)[0].ids
        return ids if len(ids) <= self.max_teacher_prompt_length else None

    def score(self, asked: Sequence[tuple[Rollout, Mapping[str, Context]]]) -> list[dict[str, TokenScores]]:
        """For each rollout, what each context changes at its tokens; contexts that do not fit are left out."""
        items = [self.scorable(rollout, contexts) for rollout, contexts in asked]
        fitting = [item for item in items if item.teacher_prompt_ids]
        scores = iter(score_responses(self.model, fitting, batch_size=self.batch_size) if fitting else ())
        return [next(scores) if item.teacher_prompt_ids else {} for item in items]

    def scorable(self, rollout: Rollout, contexts: Mapping[str, Context]) -> Scorable:
        """The rollout with the teacher's prompts that are within the limit and leave the response room in the model's
        context window; with none where it does not even fit behind the student's."""
        window = getattr(cast("Any", self.model.config).get_text_config(), "max_position_embeddings", None)
        room = math.inf if window is None else window - len(rollout.token_ids)
        student = self.student_prompt(rollout.problem)
        prompts = {name: self.teacher_prompt(rollout.problem, context) for name, context in contexts.items()}
        fitting = {
            name: ids for name, ids in prompts.items() if ids is not None and max(len(ids), len(student)) <= room
        }
        return Scorable(student, fitting, rollout.token_ids)

    def num_tokens(self, text: str) -> int:
        """How many tokens a text has by itself."""
        return len(encode(self.tokenizer, text))


def load_policy(run: Run) -> Policy:
    """The model of a run as it is before training, with its two prompts, ready to be scored."""
    loaded = load_model(run.model_name, dtype=run.model.dtype or "auto", prompt_templates=run.prompt_templates)
    return Policy(
        loaded.model,
        loaded.tokenizer,
        prompt_templates=run.prompt_templates,
        chat_template_kwargs=run.chat_template_kwargs,
        teacher_chat_template_kwargs=run.teacher_chat_template_kwargs,
        max_teacher_prompt_length=run.training.max_teacher_prompt_length,
    )
