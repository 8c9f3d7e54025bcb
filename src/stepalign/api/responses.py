"""Responses as functions: sample and evaluate, grade, critique, and look into one token by token.

>>> grade([{"problem_id": "p1", "sample": 0, "text": "A: 4"}], [Problem("p1", "What is 2 + 2?", "4")])
1 responses: correct 100.0 %, wrong 0.0 %, unparseable 0.0 %, timeout 0.0 %
>>> evaluate("micro", problems, num_samples=2, max_new_tokens=40)["num_samples"]
2
>>> list(inspect_case("examples/cases/micro-one-wrong-step.yaml")["contexts"])
['stepalign', 'refsol']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stepalign.api.given import rollouts_of, settings
from stepalign.api.results import InspectionResult, ListResult, MappingResult, flat
from stepalign.core.errors import ConfigError
from stepalign.core.files import exclusive, read_jsonl
from stepalign.core.problem import Problem  # noqa: F401 - the example above
from stepalign.feedback.critics.critic import CritiqueRecord
from stepalign.runs import files
from stepalign.settings.command_groups import CritiqueSettings, GradeSettings, InspectSettings
from stepalign.settings.commands import CRITIQUE, EVALUATE, GRADE, INSPECT, LOCALIZE
from stepalign.settings.given import given_values

GIVEN = "given"  # in the place of a file's name


def evaluate(
    model: str | Path,
    problems: object,
    adapter: str | Path | None = None,
    *,
    config: str | None = None,
    output_dir: str | Path | None = None,
    ks: Sequence[int] = (),
    **given: object,
) -> MappingResult:
    """Sample a model on problems, grade, and measure pass@k, maj@k and avg@k.

    Args:
        model: a directory, GGUF file or hub name of a causal LM; micro, micro-code: the shipped solvers; with a server
            its name there.
        problems: what `load_problems` reads.
        adapter: of a PEFT adapter for it.
        config: a recipe's path.
        output_dir: where metrics and samples are kept, and an interrupted evaluation goes on; None: nowhere.
        ks: for which k; empty: the number of samples.
        given: any other setting of `stepalign evaluate`; the grader may be a function.
    Returns:
        What `metrics.json` holds; as a table the samples with their grades.
    Raises:
        ConfigError, ModelError: a setting is wrong, or the model does not load.
    """
    from stepalign.evaluation.model import evaluate_model
    from stepalign.runs.evaluations import EvaluationMetrics, accuracy_keys
    from stepalign.settings.evaluation import resolve_evaluation

    asked = {"model": str(model), "problems": problems, "adapter": adapter, "k": list(ks), **given}
    asked = {name: value for name, value in asked.items() if value is not None}
    with TemporaryDirectory() as passing:
        directory = Path(output_dir) if output_dir is not None else Path(passing)
        values = settings({**asked, "output_dir": directory}, directory)
        metrics = evaluate_model(resolve_evaluation(given_values(EVALUATE, config, values)))
        rows = read_jsonl(directory / files.SAMPLES)
    numbers = ", ".join(f"{key} {_points(metrics, key)}" for key in accuracy_keys([EvaluationMetrics(**metrics)]))
    shown = f"{model} on {metrics['num_problems']} problems x {metrics['num_samples']} samples: {numbers}"
    return MappingResult(metrics, shown, rows, _path(output_dir))


def grade(
    rollouts: object, problems: object = None, *, output_dir: str | Path | None = None, **given: object
) -> MappingResult:
    """Grade responses against the true answers, no model needed.

    Args:
        rollouts: a path, dictionaries with `problem_id`, `sample` and `text`, or `Rollout` objects.
        problems: what `load_problems` reads; not needed with `Rollout` objects.
        output_dir: where samples.jsonl and grades.json go; None: nowhere.
        given: any other setting of `stepalign grade`; the grader may be a function.
    Returns:
        What `grades.json` holds; as a table the responses with their grades.
    Raises:
        ConfigError, DataError: a setting or a row is wrong.
    """
    from stepalign.evaluation.graded import grade_samples, write_graded

    values = settings(given, None)
    asked = given_values(GRADE, None, values).make(GradeSettings, problems=GIVEN, samples=GIVEN, output_dir=GIVEN)
    graded = grade_samples(rollouts_of(rollouts, problems, asked.columns, asked), asked)
    rows = [rollout.to_json() for rollout in graded.rollouts]
    if output_dir is not None:
        write_graded(Path(output_dir), graded)
    rates = {key.removesuffix("_rate"): rate for key, rate in graded.summary.items() if key.endswith("_rate")}
    shown = ", ".join(f"{name} {100 * rate:.1f} %" for name, rate in rates.items())
    shown += f", mean score {graded.summary['mean_score']:.3f}" if "mean_score" in graded.summary else ""
    return MappingResult(graded.summary, f"{len(rows)} responses: {shown}", rows, _path(output_dir))


def critique(
    rollouts: object, problems: object = None, *, output_dir: str | Path | None = None, **given: object
) -> ListResult[CritiqueRecord]:
    """Critique responses: typed, verified, paid for once.

    Args:
        rollouts: as for `grade`.
        problems: as for `grade`.
        output_dir: where critiques.jsonl and ledger.json go; None: nowhere.
        given: any other setting of `stepalign critique`; critic and grader may be functions.
    Returns:
        A record for each response, in order; as a table the rows of critiques.jsonl.
    Raises:
        ConfigError, DataError: a setting or a row is wrong.
        CriticError: the critic had to stop; what it has is written, and the rest is asked for the next time.
    """
    from stepalign.feedback.critics.build import build_critic
    from stepalign.feedback.critics.critic import CriticStopped
    from stepalign.feedback.critics.recorded import write_critiques
    from stepalign.settings.grading import make_grader
    from stepalign.settings.resolve import resolve_critic

    asked = given_values(CRITIQUE, None, settings(given, None))
    critic_settings = resolve_critic(asked)
    if critic_settings is None:
        raise ConfigError("critique needs a critic: a function or a name, or critic_base_url and critic_model.")
    ours = asked.make(CritiqueSettings, problems=GIVEN, samples=GIVEN, output_dir=GIVEN)
    asked_about = rollouts_of(rollouts, problems, ours.columns, ours)
    with make_grader(ours) as grader:
        critic = build_critic(critic_settings, grader.grade)
        try:
            records = critic.critique(asked_about)
        except CriticStopped as stop:
            if output_dir is not None:
                write_critiques(Path(output_dir), critic, asked_about, stop.records)
            raise
    if output_dir is not None:
        write_critiques(Path(output_dir), critic, asked_about, records)
    num_verified = sum(record.status == "verified" for record in records)
    shown = f"{num_verified} of {len(records)} critiques by {critic.name} verified"
    return ListResult(records, shown, [record.to_json() for record in records], _path(output_dir))


def inspect_case(
    case: str | Path | Mapping[str, Any],
    *,
    critic: object = None,
    dtype: str | None = None,
    output_dir: str | Path | None = None,
    **given: object,
) -> MappingResult:
    """What each context changes at each token of one response: A_t, where it falls, how closely the context follows.

    Args:
        case: a case file, or a mapping with its keys: model, problem, response, contexts, and perhaps others (see
            `stepalign.signal.case`).
        critic: says which step is wrong first, unless the case does: as for `critique`.
        dtype: of the weights; None: float32 on a CPU, else as saved.
        output_dir: also write `advantage.json` and `inspect.html` there.
        given: any other setting of `stepalign inspect` that is not about which case, such as the critic's.
    Returns:
        What `advantage.json` of `stepalign inspect` holds; as a table a row for each token and context.
    """
    from stepalign.settings.resolve import resolve_critic
    from stepalign.signal.case import make_case, read_case_file
    from stepalign.signal.inspection import inspect_cases, write_inspection
    from stepalign.signal.judging import judge

    values = case if isinstance(case, Mapping) else read_case_file(Path(case))
    made = make_case(values, "case" if isinstance(case, Mapping) else str(case))
    asked = given_values(INSPECT, None, settings({**given, **({"critic": critic} if critic else {})}, None))
    ((judged, _),) = judge([made], resolve_critic(asked))
    ours = asked.make(InspectSettings, output_dir=GIVEN)
    (result,) = inspect_cases([judged], dtype, ours.num_alternatives)
    if output_dir is not None:
        write_inspection(result, Path(output_dir))
    rows = [
        {"context": name, "position": i, "token": token, "step": result["token_steps"][i]}
        | {key: of[key][i] for key in ("student_logp", "teacher_logp", "advantage", "divergence")}
        for name, of in result["contexts"].items()
        for i, token in enumerate(result["tokens"])
    ]
    means = {name: sum(of["advantage"]) / len(of["advantage"]) for name, of in result["contexts"].items()}
    shown = ", ".join(f"{name} {mean:+.3f}" for name, mean in means.items())
    summary = f"{result['model']}, {len(result['tokens'])} tokens; mean A_t in nats: {shown or 'no context'}"
    return InspectionResult(result, summary, rows, _path(output_dir))


inspect = inspect_case


def localize(
    model: str | Path, labels: object, *, output_dir: str | Path, config: str | None = None, **given: object
) -> MappingResult:
    """Rollouts whose first wrong step somebody marked, under the contexts of feedback formats: what finds the error?

    Args:
        model: a directory or hub name of a causal LM; micro, micro-code: the shipped solvers.
        labels: what `load_labels` reads: a path, or a list of dictionaries.
        output_dir: where scores and report go, and an interrupted localization goes on.
        config: a recipe's path.
        given: any other setting of `stepalign localize`; the critic may be a function, a condition a `FeedbackFormat`.
    Returns:
        What `localization.json` holds; as a table a row a context.
    Raises:
        ConfigError, DataError, ModelError: a setting or a label is wrong, or the model does not load.
    """
    from stepalign.settings.localization import resolve_localization
    from stepalign.signal.localize import localize as localize_run

    directory = Path(output_dir)
    is_file = isinstance(labels, str | Path)
    asked = {"model": str(model), "labels": str(labels) if is_file else GIVEN, "output_dir": directory, **given}
    values = given_values(LOCALIZE, config, settings(asked, directory))
    run = resolve_localization(values, None if is_file else labels)
    with exclusive(directory, timeout_s=1):
        result = localize_run(run)
    rows = [{"condition": name, **flat(of)} for name, of in result["conditions"].items()]
    found = {name: of["auroc_step"]["value"] for name, of in result["conditions"].items()}
    shown = ", ".join(f"{name} {value:.2f}" for name, value in found.items() if value is not None)
    return MappingResult(
        result, f"{len(run.labels)} labelled rollouts; AUROC of the wrong step: {shown}", rows, directory
    )


def _path(output_dir: str | Path | None) -> Path | None:
    return None if output_dir is None else Path(output_dir)


def _points(metrics: Mapping[str, Any], key: str) -> str:
    low, high = metrics["ci95"][key]
    return f"{100 * metrics[key]:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
