"""Evaluate a model: sample k responses a problem, grade them, and say how good it is and how sure that is.

    >>> sampling = Sampling(num_samples=2, max_new_tokens=160)
    >>> rollouts = [r for batch in sample_problems(model, tokenizer, problems, sampling, "bare") for r in batch]
    >>> metrics = evaluate_rollouts(problems, grade_rollouts(rollouts, grader), grader).metrics
    >>> metrics["num_samples"], 0 <= metrics["avg@2"] <= 1
    (2, True)

pass@k: is any of k samples right (unbiased estimator); maj@k: is the most frequent answer right, answers grouped by
mathematical equality and ties counted as their share; avg@k: the mean share of right samples. Intervals are 95 %
bootstrap intervals over problems.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from transformers import GenerationConfig, PreTrainedModel

from stepalign.core.errors import ConfigError
from stepalign.core.problem import Problem
from stepalign.core.prompts import render_prompt
from stepalign.core.rollout import Outcome, Rollout
from stepalign.core.token_classes import hedge_rate
from stepalign.core.tokenizer import Tokenizer
from stepalign.grading import AnyGrader
from stepalign.maths.accuracy import avg_at_k, maj_at_k, pass_at_k
from stepalign.maths.intervals import bootstrap_interval
from stepalign.models.prompts import chat_prompts
from stepalign.models.sampling import Response, Sampling, sample_responses
from stepalign.runs.evaluations import PASS_AT, EvaluationMetrics


def sample_problems(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    problems: Sequence[Problem],
    sampling: Sampling,
    prompt_templates: str = "steps",
    chat_template_kwargs: dict[str, Any] | None = None,
    done: Container[tuple[str, int]] = (),
) -> Iterator[list[Rollout]]:
    """Sample `sampling.num_samples` ungraded rollouts of each problem, batch by batch.

    `done` are (problem id, sample) that an earlier call got; what is left is the same as if it had not been cut short.
    """
    texts = [render_prompt(prompt_templates, "student", problem=p) for p in problems]
    prompts = [prompt.ids for prompt in chat_prompts(tokenizer, texts, chat_template_kwargs)]
    ends = eos_token_ids(model, tokenizer)
    finished = {
        i for i, p in enumerate(problems) if all((p.id, sample) in done for sample in range(sampling.num_samples))
    }
    for batch in sample_responses(model, prompts, sampling, ends, finished):
        rollouts = [rollout_of(problems[r.prompt], r, tokenizer, ends) for r in batch]
        yield [rollout for rollout in rollouts if (rollout.problem.id, rollout.sample) not in done]


def rollout_of(problem: Problem, response: Response, tokenizer: Tokenizer, ends: Sequence[int]) -> Rollout:
    """The rollout that a sampled response is; cut off where its last token is none of `ends`."""
    text = tokenizer.decode(response.token_ids, skip_special_tokens=True)
    reason = "stop" if response.token_ids[-1] in ends else "length"
    return Rollout(problem, response.sample, text, tuple(response.token_ids), reason)


def eos_token_ids(model: PreTrainedModel, tokenizer: Tokenizer) -> list[int]:
    """Every token that ends a response: the tokenizer's and all that the model declares."""
    declared = cast("GenerationConfig", model.generation_config).eos_token_id
    ids = declared if isinstance(declared, list) else [] if declared is None else [declared]
    return sorted({*ids, tokenizer.eos_token_id})


def grade_rollouts(rollouts: Sequence[Rollout], grader: AnyGrader, *, thinking_open: bool = False) -> list[Rollout]:
    """The same rollouts with their grades.

    Args:
        thinking_open: their prompts ended inside `<think>` (see `models.prompts.opens_thinking`), so one that never
            closes it was cut off and has no answer.
    """
    opening = "<think>" if thinking_open else ""
    return [r.graded(grader.grade(opening + r.text, r.problem)) for r in rollouts]


@dataclass(frozen=True)
class Evaluation:
    """Metrics over all problems, and per metric the value of each problem in order: what paired intervals need."""

    metrics: EvaluationMetrics
    values: dict[str, list[float]]


def evaluate_rollouts(
    problems: Sequence[Problem], rollouts: Sequence[Rollout], grader: AnyGrader, ks: Sequence[int] = ()
) -> Evaluation:
    """The metrics of graded rollouts: the same number of samples for every problem.

    Args:
        ks: for which k; empty: the number of samples.
    Raises:
        ConfigError: a k larger than the number of samples, or problems with different numbers of samples.
    """
    by_problem: dict[str, list[Rollout]] = {problem.id: [] for problem in problems}
    for rollout in sorted(rollouts, key=lambda r: r.sample):
        by_problem[rollout.problem.id].append(rollout)
    counts = {len(samples) for samples in by_problem.values()}
    if len(counts) != 1:
        raise ConfigError(f"problems have from {min(counts)} to {max(counts)} samples; expected the same for all.")
    num_samples = counts.pop()
    values = {
        f"{name}@{k}": [float(value(samples, k)) for samples in by_problem.values()]
        for k in ks or [num_samples]
        for name, value in _accuracies(grader).items()
    }
    outcomes = [rollout.grade.outcome for rollout in rollouts if rollout.grade is not None]
    num_errors = outcomes.count(Outcome.ERROR)
    scores = [rollout.grade.score for rollout in rollouts if rollout.grade and rollout.grade.score is not None]
    of_own_grader = {"error_rate": num_errors / len(rollouts)} if num_errors else {}
    of_own_grader |= {"mean_score": float(np.mean(scores))} if scores else {}
    accuracies: dict[str, Any] = {name: float(np.mean(of_problem)) for name, of_problem in values.items()}
    metrics = EvaluationMetrics(
        num_problems=len(by_problem),
        num_samples=num_samples,
        **accuracies,
        **{PASS_AT: _pass_at_all(by_problem.values(), num_samples)},
        num_distinct_answers=float(np.mean([num_distinct_answers(samples, grader) for samples in by_problem.values()])),
        hedge_rate=hedge_rate([rollout.text for rollout in rollouts]),
        mean_length=float(np.mean([rollout.num_tokens or 0 for rollout in rollouts])),
        unparseable_rate=outcomes.count(Outcome.UNPARSEABLE) / len(rollouts),
        timeout_rate=outcomes.count(Outcome.TIMEOUT) / len(rollouts),
        **of_own_grader,
        truncated_rate=sum(rollout.finish_reason == "length" for rollout in rollouts) / len(rollouts),
        ci95={name: ci95(of_problem) for name, of_problem in values.items()},
    )
    return Evaluation(metrics, values)


def num_distinct_answers(samples: Sequence[Rollout], grader: AnyGrader) -> int:
    """How many different answers there are among the samples of a problem; no answer is none."""
    groups = grader.group([r.grade.extracted if r.grade else None for r in samples])
    return len({group for group in groups if group is not None})


def _pass_at_all(groups: Iterable[Sequence[Rollout]], num_samples: int) -> dict[str, float]:
    counts = [num_correct(samples) for samples in groups]
    return {
        str(k): float(np.mean([pass_at_k(num_samples, count, k) for count in counts]))
        for k in range(1, num_samples + 1)
    }


def num_correct(samples: Sequence[Rollout]) -> int:
    """How many of them are graded correct."""
    return sum(r.grade is not None and r.grade.is_correct for r in samples)


def ci95(values: Sequence[float] | Sequence[Sequence[float]]) -> list[float]:
    """[low, high] of the mean over problems; values as in `bootstrap_interval`."""
    interval = bootstrap_interval(values)
    return [interval.low, interval.high]


def _accuracies(grader: AnyGrader) -> dict[str, Callable[[Sequence[Rollout], int], float]]:
    def majority(samples: Sequence[Rollout], k: int) -> float:
        groups = grader.group([r.grade.extracted if r.grade else None for r in samples])
        return maj_at_k(groups, [r.grade is not None and r.grade.is_correct for r in samples], k)

    return {
        "pass": lambda samples, k: pass_at_k(len(samples), num_correct(samples), k),
        "maj": majority,
        "avg": lambda samples, k: avg_at_k(len(samples), num_correct(samples), k),
    }
