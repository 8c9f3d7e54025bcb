"""The cases of `stepalign inspect`: one from a file or from flags, or rollouts of a run or of a file of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stepalign.core.errors import ConfigError, DataError
from stepalign.core.rollout import Rollout
from stepalign.core.text import clean_text
from stepalign.data.logged import load_rollouts
from stepalign.data.problems import load_problems
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.runs.files import CONFIG
from stepalign.runs.reading import read_rollouts
from stepalign.runs.row import read_mapping
from stepalign.settings.command_groups import InspectSettings
from stepalign.signal.case import TEMPLATE_KWARGS, Case, make_case, read_case_file
from stepalign.signal.judging import judge
from stepalign.signal.loss import read_loss
from stepalign.signal.problems import problems_of
from stepalign.signal.recorded import rollout_cases

FLAGS = ("model", "adapter", "problem", "response", "prompt_templates", "answer", "first_wrong_step")


def cases_of(args: InspectSettings, critic: CriticSettings | None = None) -> list[Case]:
    """The case that file and flags describe, or those of a run's rollouts; `critic` says where each goes wrong.

    Raises:
        ConfigError: flags that do not go together, an unknown critic, or a value of the wrong kind.
        DataError: a file or a rollout that is not there, or is malformed, or problems that are not the run's.
        CriticError: the critic gave no critique.
    """
    given = {key: getattr(args, key) for key in (*FLAGS, *TEMPLATE_KWARGS, "loss") if getattr(args, key) is not None}
    for key in ("problem", "response"):
        if key in given:
            given[key] = _text(given[key])
    if args.run is not None:
        cases = [_overridden(case, given) for case in _run_cases(args, Path(args.run))]
    elif args.samples is not None:
        cases = _sampled(args, args.samples, given)
    else:
        values = read_case_file(Path(args.case)) if args.case is not None else {}
        where = args.case if args.case is not None else "command line"
        source = "command line" if "first_wrong_step" in given else "case file"
        cases = [make_case({**values, **given}, where, source)]
    return [_with_contexts(case, args.context, critique) for case, critique in judge(cases, critic)]


def _run_cases(args: InspectSettings, directory: Path) -> list[Case]:
    if args.samples is not None:
        raise ConfigError("got both --run and --samples; expected rollouts of one of them. Leave one out.")
    if args.case is not None:
        raise ConfigError(f"got both {args.case} and --run; expected a case or rollouts of a run. Leave one out.")
    if not args.rollout:
        raise ConfigError("--run needs --rollout: which rows of its rollouts.jsonl, such as --rollout 0 5.")
    rows, settings = read_rollouts(directory), read_mapping(directory / CONFIG)
    problems = problems_of(directory, rows, args.problems, args.columns)
    return rollout_cases(directory, rows, args.rollout, problems, settings)


def _sampled(args: InspectSettings, path: str, given: Mapping[str, Any]) -> list[Case]:
    """Of responses that were sampled or logged elsewhere."""
    for key in ("case", "problem", "response"):
        if getattr(args, key) is not None:
            raise ConfigError(f"got both --{key} and --samples, whose rows have it. Leave one out.")
    problems = None if args.problems is None else load_problems(args.problems, args.columns)
    rollouts = load_rollouts(path, problems, args.rollouts_format, args.sample_columns)
    if not args.rollout:
        raise ConfigError(f"--samples needs --rollout: which of its {len(rollouts)} responses, such as --rollout 0 5.")
    for index in args.rollout:
        if not 0 <= index < len(rollouts):
            raise DataError(f"no response {index} in {path}; expected 0 to {len(rollouts) - 1}.")
    return [_of_rollout(rollouts[index], path, index, given) for index in args.rollout]


def _of_rollout(rollout: Rollout, path: str, index: int, given: Mapping[str, Any]) -> Case:
    problem, source = rollout.problem, "command line" if "first_wrong_step" in given else "case file"
    known = {"problem": problem.problem, "response": rollout.text, "answer": problem.own_answer}
    case = make_case({**known, "solution": problem.solution, **given}, f"{path}, response {index}", source)
    record = {"run": path, "index": index, "problem_id": problem.id, "sample": rollout.sample}
    return replace(case, tests=problem.tests, finish_reason=rollout.finish_reason, rollout=record)


def _overridden(case: Case, given: Mapping[str, Any]) -> Case:
    for key in ("problem", "response"):
        if key in given:
            raise ConfigError(f"got both --{key} and --run, whose rollouts have it. Leave one out.")
    read_loss(given.get("loss"), "command line")
    source = {"first_wrong_step_source": "command line"} if "first_wrong_step" in given else {}
    return replace(case, **given, **source)


def _with_contexts(case: Case, words: Sequence[str], critique: str | None) -> Case:
    """The case with the contexts of the flags."""
    contexts = dict(case.contexts)
    for word in words:
        name, equals, text = word.partition("=")
        if not name or not equals:
            raise ConfigError(f"--context: got '{word}'; expected NAME=TEXT or NAME=@FILE.")
        contexts[clean_text(name)] = clean_text(_context(text, case, critique))
    return replace(case, contexts=contexts)


def _context(text: str, case: Case, critique: str | None) -> str:
    if text == "@critic":
        if critique is None:
            raise ConfigError(
                "context @critic needs a critic; got none. Give --critic exact (in the micro world), or "
                "--critic_base_url and --critic_model."
            )
        return critique
    if text == "@solution":
        if case.solution is None:
            raise ConfigError("context @solution needs the problem's reference solution; got none. Give its text.")
        return case.solution
    return _text(text)


def _text(value: str) -> str:
    """The text itself, or that of the file after an @, less one final line break."""
    if not value.startswith("@"):
        return value
    path = Path(value[1:])
    try:
        return path.read_bytes().decode("utf-8").removesuffix("\n").removesuffix("\r")
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(f"{path}: no such file; expected a text file after the @. Check the path.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start + 1} is not UTF-8. Save the file as UTF-8.") from None
