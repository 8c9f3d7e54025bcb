"""Evaluate one model on problems of a file: sample, grade, measure, write; interrupted, it goes on where it was.

    >>> from stepalign.settings.commands import EVALUATE
    >>> from stepalign.settings.evaluation import resolve_evaluation
    >>> from stepalign.settings.given import read_given
    >>> argv = ["--model", "micro", "--problems", "problems.jsonl", "--num_samples", "2", "--output_dir", "evaluated"]
    >>> evaluate_model(resolve_evaluation(read_given(EVALUATE, argv)))["num_samples"]
    2

OUT/metrics.json, OUT/samples.jsonl and the problems, OUT/problems.used.jsonl, are what it leaves. Until it is finished
there are samples.partial.jsonl, a row a sample, and for a server replies.partial.sqlite: its replies are kept beside
the samples and not in the critics' cache, because other weights may serve under the same name later.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from stepalign.core.files import append_jsonl, read_json, read_jsonl, write_json, write_jsonl
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.core.settings import may_change, names_of
from stepalign.data.samples import load_samples
from stepalign.evaluation.evaluate import evaluate_rollouts, grade_rollouts, sample_problems
from stepalign.evaluation.served import ServedSolver, sample_served
from stepalign.models.loading import load_model, load_tokenizer
from stepalign.models.prompts import opens_thinking
from stepalign.models.sampling import Sampling
from stepalign.runs.files import EVALUATION, PARTIAL_SAMPLES, SAMPLES, TEST_METRICS, USED_PROBLEMS
from stepalign.settings.command_groups import EvaluateSettings, ServerSettings
from stepalign.settings.evaluation import ResolvedEvaluation
from stepalign.settings.grading import GradingSettings, make_grader
from stepalign.settings.same import check_same

REPLIES = "replies.partial.sqlite"
Done = Container[tuple[str, int]]


def evaluate_model(evaluation: ResolvedEvaluation) -> dict[str, Any]:
    """The metrics of a model on problems, as `metrics.json` holds them.

    Raises:
        ConfigError: the directory holds an evaluation with other settings, finished or not.
        ModelError: the model does not load, or its server gave no sample of a problem.
    """
    settings, problems = evaluation.settings, evaluation.problems
    directory = Path(settings.output_dir)
    partial = directory / PARTIAL_SAMPLES
    _check_same_evaluation(directory, settings)
    sample = _from_server if settings.solver_base_url else _in_process
    total = len(problems) * settings.num_samples
    done = {(row["problem_id"], row["sample"]) for row in read_jsonl(partial)}
    with tqdm(total=total, initial=len(done), unit="sample", desc="sampling") as bar:
        for batch in sample(problems, settings, done):
            append_jsonl(partial, *(rollout.to_json() for rollout in batch))
            bar.update(len(batch))
    with make_grader(settings) as grader:
        rollouts = grade_rollouts(load_samples(partial, problems), grader, thinking_open=_opens_thinking(settings))
        metrics = evaluate_rollouts(problems, rollouts, grader, settings.k).metrics.to_json()
    order = {problem.id: i for i, problem in enumerate(problems)}
    rollouts.sort(key=lambda r: (order[r.problem.id], r.sample))
    write_jsonl(directory / USED_PROBLEMS, (problem.to_json() for problem in problems))
    write_jsonl(directory / SAMPLES, (rollout.to_json() for rollout in rollouts))
    write_json(directory / TEST_METRICS, metrics)
    for path in (*directory.glob(f"{REPLIES}*"), partial):
        path.unlink()
    return metrics


def _opens_thinking(settings: EvaluateSettings) -> bool:
    """Whether responses begin inside thinking; a server's template is its own, and its replies are taken as whole."""
    if settings.solver_base_url:
        return False
    tokenizer = load_tokenizer(settings.model, str(settings.prompt_templates))
    return opens_thinking(tokenizer, {"enable_thinking": False} if settings.no_thinking else None)


def _in_process(problems: Sequence[Problem], settings: EvaluateSettings, done: Done) -> Iterator[list[Rollout]]:
    family = str(settings.prompt_templates)
    model, tokenizer = load_model(settings.model, settings.adapter, dtype=settings.dtype, prompt_templates=family)
    kwargs = {"enable_thinking": False} if settings.no_thinking else None
    sampling = sampling_of(settings)
    yield from sample_problems(model, tokenizer, problems, sampling, family, kwargs, done)


def _from_server(problems: Sequence[Problem], settings: EvaluateSettings, done: Done) -> Iterator[list[Rollout]]:
    cache = Path(settings.output_dir) / REPLIES
    solver = ServedSolver(settings, model=settings.model, cache=str(cache), top_k=settings.top_k)
    left = [p for p in problems if any((p.id, i) not in done for i in range(settings.num_samples))]
    for batch in sample_served(solver, left):
        yield [rollout for rollout in batch if (rollout.problem.id, rollout.sample) not in done]


def sampling_of(settings: EvaluateSettings) -> Sampling:
    """How the settings sample.

    Raises:
        ConfigError: a temperature or the like that cannot be.
    """
    return Sampling(
        num_samples=settings.num_samples,
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
        max_new_tokens=settings.max_new_tokens or 0,
        seed=settings.seed,
        batch_size=settings.batch_size,
    )


def _check_same_evaluation(directory: Path, settings: EvaluateSettings) -> None:
    """Samples of another evaluation must neither be mixed in nor replaced: settings are kept beside the samples."""
    server, values = names_of(ServerSettings), asdict(settings)
    names = [*(name for name in values if name not in server), *server]
    record = {"command": "evaluate", **{name: values[name] for name in names}}
    record["in_process"] = not settings.solver_base_url
    path = directory / EVALUATION
    is_begun, is_done = (directory / PARTIAL_SAMPLES).exists(), (directory / TEST_METRICS).exists()
    if (is_begun or is_done) and path.exists():
        holds = f"{directory} holds an {'unfinished ' if is_begun else ''}evaluation"
        free = {*may_change(EvaluateSettings), *names_of(GradingSettings), "debug"}  # grading comes last
        check_same(read_json(path), record, holds, may_change=free)
    write_json(path, record)
