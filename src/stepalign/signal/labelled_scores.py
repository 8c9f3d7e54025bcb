"""A_t of labelled rollouts under several contexts, as rows of `scores.jsonl` and `tokens.jsonl`.

>>> scorer = Scorer(Policy(model, tokenizer, "bare"), {"refsol": {key_of(rollout): Context("It is 170.")}})
>>> (row,) = scorer.rows([scorer.tokenized(rollout)], ["refsol"])
>>> row["status"], len(row["advantage"]) == len(scorer.tokenized(rollout).token_ids)
('ok', True)

`status` is ok, none (the format has no context for the rollout) or too_long (with the context, or without it, the
response does not fit the model's context window or the limit of prompts; nothing is ever cut).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from stepalign.core.critique import Context
from stepalign.core.errors import ModelError
from stepalign.core.rollout import Rollout
from stepalign.core.spans import rollout_tokens
from stepalign.maths.scores import TokenScores
from stepalign.models.prompts import encode
from stepalign.models.scoring import check_scoring
from stepalign.signal.policy import Policy
from stepalign.signal.preflight_records import Key, Row, key_of, place

DIGITS = 6  # of A_t on disk


@dataclass
class Scorer:
    """`contexts` are those of each format by rollout. What was forwarded is counted: sequences, and their tokens."""

    policy: Policy
    contexts: Mapping[str, Mapping[Key, Context | None]]
    num_sequences: int = field(default=0, init=False)
    num_tokens: int = field(default=0, init=False)

    def tokenized(self, rollout: Rollout) -> Rollout:
        """The rollout with the ids that the tokenizer gives its text."""
        return replace(rollout, token_ids=tuple(encode(self.policy.tokenizer, rollout.text)))

    def token_row(self, rollout: Rollout) -> Row:
        """Text and step of each token."""
        tokens = rollout_tokens(self.policy.tokenizer, rollout)
        return {**place(rollout), "tokens": tokens.texts, "token_steps": tokens.steps}

    def rows(self, rollouts: Sequence[Rollout], names: Sequence[str]) -> list[Row]:
        """A row a rollout and format, rollout by rollout. The student is scored once for all formats.

        Raises:
            ModelError: the model cannot be scored, or its log-probabilities are not finite.
        """
        own = [{n: c for n in names if (c := self.contexts[n].get(key_of(r))) is not None} for r in rollouts]
        fitting = [self._fitting(rollout, there) for rollout, there in zip(rollouts, own, strict=True)]
        asked = [(rollout, there) for rollout, there in zip(rollouts, fitting, strict=True) if there]
        if asked and not self.num_sequences:
            check_scoring(self.policy.model, asked[0][0].token_ids)
        scores = dict(zip((key_of(r) for r, _ in asked), self.policy.score(asked) if asked else [], strict=True))
        return [
            self._row(rollout, name, there.get(name), scores.get(key_of(rollout), {}).get(name))
            for rollout, there in zip(rollouts, own, strict=True)
            for name in names
        ]

    def _fitting(self, rollout: Rollout, contexts: Mapping[str, Context]) -> dict[str, Context]:
        """The contexts under which the response fits, none where it does not fit by itself."""
        item = self.policy.scorable(rollout, contexts)
        fitting = item.teacher_prompt_ids
        prompts = [item.student_prompt_ids, *fitting.values()] if fitting else []
        self.num_sequences += len(prompts)
        self.num_tokens += sum(len(ids) + len(rollout.token_ids) for ids in prompts)
        return {name: contexts[name] for name in fitting}

    def _row(self, rollout: Rollout, name: str, context: Context | None, scores: TokenScores | None) -> Row:
        row: Row = {"format": name, **place(rollout), "status": "none"}
        if context is not None:
            row |= {"status": "too_long", "num_context_tokens": self.policy.num_tokens(context.text)}
        if scores is not None:
            if not scores.advantage.isfinite().all():
                raise ModelError(
                    f"log-probabilities of rollout '{rollout.problem.id}' under {name} are not finite; expected "
                    f"numbers. The weights are damaged, or too large for {self.policy.model.dtype}: --dtype float32."
                )
            advantage = [round(value, DIGITS) for value in scores.to_json()["advantage"]]
            row |= {"status": "ok", "advantage": advantage}
        return row
