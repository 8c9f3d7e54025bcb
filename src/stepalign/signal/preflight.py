"""Preflight: before training, measure on a few problems what each feedback format would teach.

The student (the model as it is) is sampled on some training problems, or its rollouts are given. Each format makes a
context of each rollout, the teacher (the same model with that context) is sampled once for each, and every token of the
rollout is scored under it. `stepalign.signal.verdict` makes a go or no-go of it.

    >>> from stepalign.feedback.from_references import RefSol
    >>> sampling = Sampling(num_samples=1, max_new_tokens=160)
    >>> policy = Policy(model, tokenizer, "bare")
    >>> preflight = Preflight(Records(directory), problems, policy, sampling, grader, {"refsol": RefSol()})
    >>> for stage in preflight.stages():
    ...     for num_more in stage.run():
    ...         pass
    >>> len(preflight.rows())
    3

What was sampled and paid for is on disk at once, in JSONL files of the directory, and a second start goes on:
rollouts (the student's), critiques (the critic's, where there is one), contexts, teacher, scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import NamedTuple

from stepalign.core.critique import Context, Critique
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.core.spans import rollout_tokens
from stepalign.evaluation.evaluate import eos_token_ids, grade_rollouts, rollout_of, sample_problems
from stepalign.feedback.alignment import alignment
from stepalign.feedback.critiques import first_wrong_step, judging
from stepalign.feedback.formats import FeedbackFormat
from stepalign.grading import AnyGrader
from stepalign.maths.localization import localization, onset_share, unlocalized
from stepalign.models.prompts import encode, opens_thinking
from stepalign.models.sampling import Sampling, sample_responses
from stepalign.models.scoring import TokenScores, check_scoring
from stepalign.signal.policy import Policy
from stepalign.signal.preflight_records import (
    KeptCritic,
    Records,
    Row,
    has_answer,
    is_correct,
    key_in,
    key_of,
    place,
)

CHUNK = 64  # rollouts that a critic or a format is asked about at once: what a kill can lose
SCORED = 8  # rollouts that are scored together
LEAST_PUSH = 0.5  # nats in all; below, nothing is pushed that could be aimed
TEACHER = ("grade", "is_correct", "num_tokens", "finish_reason")  # of its response, in a row of the result
Prompts = Sequence[tuple[Rollout, list[int]]]


class Stage(NamedTuple):
    """A part of the work. `run` does what is left of it and yields how many more of `total` are done."""

    name: str
    total: int
    num_done: int
    run: Callable[[], Iterator[int]]


@dataclass(frozen=True)
class Preflight:
    """What is measured, with what, and where it is kept. `critic` knows the wrong steps; None: nobody does. `given`:
    the student's rollouts, where they are not to be sampled."""

    records: Records
    problems: Sequence[Problem]
    policy: Policy
    sampling: Sampling
    grader: AnyGrader
    formats: Mapping[str, FeedbackFormat]
    critic: KeptCritic | None = None
    given: Sequence[Rollout] = ()

    def stages(self) -> Iterator[Stage]:
        """The stages in their order. Run one before the next is asked for: its size follows from what is there."""
        total = len(self.given) or len(self.problems) * self.sampling.num_samples
        student = self._take_given if self.given else self._sample_student
        yield Stage("student", total, len(self.records.keys("rollouts")), student)
        rollouts = self.rollouts()
        if self.critic is not None:
            left = self.critic.left(rollouts)
            yield Stage("critic", total, total - len(left), partial(self._in_chunks, self.critic, left))
        for name in self.formats:
            left = self.records.left(rollouts, "contexts", [name])
            run = partial(self._in_chunks, partial(self._make_contexts, name), left)
            yield Stage(f"contexts, {name}", total, total - len(left), run)
        for name in self.formats:
            prompts = self._teacher_prompts(name, rollouts)
            run = partial(self._sample_teacher, name, prompts)
            yield Stage(f"teacher, {name}", len(prompts), len(self.records.keys("teacher", name)), run)
        left = self.records.left(rollouts, "scores", self.formats)
        yield Stage("scores", total, total - len(left), partial(self._score, left))

    def rollouts(self) -> list[Rollout]:
        """The student's graded rollouts, problem by problem."""
        return self.records.rollouts(self.problems)

    def rows(self) -> list[Row]:
        """When every stage has run: all that was measured, one row a rollout, with a part for each format in it."""
        teacher, scores = (
            {(r["format"], *key_in(r)): r for r in self.records.read(kind)} for kind in ("teacher", "scores")
        )
        rows: list[Row] = []
        for rollout in self.rollouts():
            critique = self._critique(rollout)
            wrong = first_wrong_step(rollout, critique) if critique else None
            formats: dict[str, Row] = {}
            for name in self.formats:
                key = name, *key_of(rollout)
                answered = teacher.get(key, {})
                part = {k: value for k, value in scores[key].items() if k not in ("format", *place(rollout))}
                part |= {f"teacher_{k}": answered.get(k) for k in TEACHER}
                formats[name] = part
            row = {**rollout.to_json(), "is_correct": is_correct(rollout.grade)}
            row |= {"case": critique.case if critique else None, "first_wrong_step": wrong}
            rows.append({**row, "formats": formats})
        return rows

    def _sample_student(self) -> Iterator[int]:
        policy, done = self.policy, self.records.keys("rollouts")
        kwargs, is_open = dict(policy.chat_template_kwargs or {}), self._thinking_is_open()
        for batch in sample_problems(
            policy.model, policy.tokenizer, self.problems, self.sampling, policy.prompt_templates, kwargs, done
        ):
            self.records.add_rollouts(grade_rollouts(batch, self.grader, thinking_open=is_open))
            yield len(batch)

    def _take_given(self) -> Iterator[int]:
        done = self.records.keys("rollouts")
        left = [rollout for rollout in self.given if key_of(rollout) not in done]
        yield from self._in_chunks(self._add_given, left)

    def _add_given(self, rollouts: Sequence[Rollout]) -> None:
        encoded = [tuple(encode(self.policy.tokenizer, rollout.text)) for rollout in rollouts]
        tokenized = [replace(r, token_ids=ids, num_tokens=None) for r, ids in zip(rollouts, encoded, strict=True)]
        # where the template opens the thinking, a trainer may have logged what follows, or taken the thinking away
        is_open = self._thinking_is_open() and any("</think>" in rollout.text for rollout in self.given)
        self.records.add_rollouts(grade_rollouts(tokenized, self.grader, thinking_open=is_open))

    def _thinking_is_open(self) -> bool:
        return opens_thinking(self.policy.tokenizer, dict(self.policy.chat_template_kwargs or {}))

    def _in_chunks(self, ask: Callable[[Sequence[Rollout]], object], rollouts: Sequence[Rollout]) -> Iterator[int]:
        for at in range(0, len(rollouts), CHUNK):
            chunk = rollouts[at : at + CHUNK]
            ask(chunk)
            yield len(chunk)

    def _make_contexts(self, name: str, rollouts: Sequence[Rollout]) -> None:
        contexts = zip(rollouts, self.formats[name].contexts(rollouts), strict=True)
        self.records.append(
            "contexts", ({"format": name, **place(r), "context": c.text if c else None} for r, c in contexts)
        )

    def _teacher_prompts(self, name: str, rollouts: Sequence[Rollout]) -> Prompts:
        contexts = self.records.contexts(name)
        pairs = [(r, context) for r in rollouts if (context := contexts[key_of(r)]) is not None]
        prompts = [(r, self.policy.teacher_prompt(r.problem, context)) for r, context in pairs]
        return [(r, ids) for r, ids in prompts if ids is not None]

    def _sample_teacher(self, name: str, prompts: Prompts) -> Iterator[int]:
        model, tokenizer = self.policy.model, self.policy.tokenizer
        done, ends = self.records.keys("teacher", name), eos_token_ids(model, tokenizer)
        finished = {i for i, (rollout, _) in enumerate(prompts) if key_of(rollout) in done}
        ids = [ids for _, ids in prompts]
        is_open = opens_thinking(tokenizer, self.policy.teacher_chat_template_kwargs)
        for batch in sample_responses(model, ids, replace(self.sampling, num_samples=1), ends, finished):
            rows: list[Row] = []
            for response in batch:
                student = prompts[response.prompt][0]
                answered = rollout_of(student.problem, response, tokenizer, ends)
                (graded,) = grade_rollouts([answered], self.grader, thinking_open=is_open)
                row = {"format": name, **place(student), "text": graded.text, "num_tokens": graded.num_tokens}
                row |= {"finish_reason": graded.finish_reason, "grade": graded.grade and graded.grade.outcome.value}
                rows.append({**row, "is_correct": is_correct(graded.grade)})
            rows = [row for row in rows if key_in(row) not in done]
            self.records.append("teacher", rows)
            yield len(rows)

    def _score(self, rollouts: Sequence[Rollout]) -> Iterator[int]:
        contexts = {name: self.records.contexts(name) for name in self.formats}
        done = {name: self.records.keys("scores", name) for name in self.formats}
        if rollouts:
            check_scoring(self.policy.model, rollouts[0].token_ids)
        for at in range(0, len(rollouts), SCORED):
            chunk = rollouts[at : at + SCORED]
            left = [{n: contexts[n][key_of(r)] for n in contexts if key_of(r) not in done[n]} for r in chunk]
            there = [{name: context for name, context in own.items() if context is not None} for own in left]
            scores = self.policy.score(list(zip(chunk, there, strict=True)))
            parts = zip(chunk, left, scores, strict=True)
            self.records.append("scores", (row for part in parts for row in self._score_rows(*part)))
            yield len(chunk)

    def _score_rows(
        self, rollout: Rollout, contexts: Mapping[str, Context | None], scores: Mapping[str, TokenScores]
    ) -> Iterator[Row]:
        steps, critique = rollout_tokens(self.policy.tokenizer, rollout).steps, self._critique(rollout)
        wrong = first_wrong_step(rollout, critique) if critique else None
        for name, context in contexts.items():
            row: Row = {"format": name, **place(rollout), "status": "none"}
            if context is not None:
                row["status"] = "ok" if name in scores else "too_long"
                row["num_context_tokens"] = self.policy.num_tokens(context.text)
                row["has_answer"] = has_answer(context.text, rollout.problem, self.grader)
                row["alignment"] = alignment(rollout.trace, context.text, wrong).to_json() if critique else None
            if name in scores:
                advantage = scores[name].to_json()["advantage"]
                located = localization(advantage, steps, wrong) if critique else unlocalized(advantage)
                aim = onset_share(advantage, steps, wrong, LEAST_PUSH) if wrong != 1 else None  # 1: nothing before it
                row |= {"mean_advantage": fmean(advantage), "localization": {**located.to_json(), "aim": aim}}
            yield row

    def _critique(self, rollout: Rollout) -> Critique | None:
        return judging(self.critic.known[key_of(rollout)]) if self.critic is not None else None
