"""What `stepalign train` says when it is done: what came out, and the command that comes next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from stepalign.core.settings import default_of, fields_of
from stepalign.evaluation.checkpoints import evaluation_sampling
from stepalign.runs.files import METRICS
from stepalign.runs.row import read_rows
from stepalign.runs.rows import MetricsRow
from stepalign.settings.command_groups import EvaluateSettings, MicroProblemsSettings
from stepalign.settings.groups import TrainSettings
from stepalign.settings.models import MICRO, MICRO_CODE, resolve_model
from stepalign.settings.run import Run
from stepalign.training.summary import changes, ends, validated


def print_trained(run: Run, checkpoints: Sequence[Path]) -> None:
    """Numbers at both ends of the run, its checkpoints, and how to evaluate one."""
    rows = read_rows(run.directory / METRICS, MetricsRow)
    if rows:
        steps = f"{rows[-1].step} step{'s' if rows[-1].step != 1 else ''}"
        print(f"Trained {run.training.condition} for {steps}; {ends(rows)}:")
        for change in changes(rows):
            print(f"  {change.label:<16} {change}{' of the rollouts' if change.label == 'correct' else ''}")
    best = validated(run.directory)
    last = f"; the last one: {checkpoints[-1].name}" if checkpoints else ""
    line = f"{len(checkpoints)} checkpoint(s) in {run.directory}{last}"
    if best is not None:
        beside = f" ({best.metrics.unanswered})" if best.metrics.unanswered else ""
        line += f"; the best one on validation: {best.checkpoint}, {best.metric} {best.value:.3f}{beside}"
    print(line)
    if checkpoints:
        chosen = run.directory / best.checkpoint if best is not None else checkpoints[-1]
        print("Next:")
        for command in next_commands(run, chosen):
            print(f"  {shlex.join(command)}")
        if run.training.train_problems is not None and best is None and Path(run.training.train_problems).is_file():
            print("These are the problems it was trained on: give held-out ones for a number to believe.")


def next_commands(run: Run, checkpoint: Path) -> list[list[str]]:
    """The evaluation of a checkpoint as the run samples, word by word, and before it what makes its problems."""
    commands: list[list[str]] = []
    problems = run.validation.validation_problems or run.training.train_problems
    if problems is None:
        directory = run.directory / "problems"
        dials = {name.removeprefix("micro_"): value for name, value in vars(run.micro).items()}
        flags = [word for name, value in dials.items() for word in _flag(MicroProblemsSettings, name, value)]
        commands.append(["stepalign", "micro", "--output_dir", str(directory), *flags])
        problems = str(directory / "test.jsonl")
    base = next((name for name in (MICRO, MICRO_CODE) if run.model_name == resolve_model(name)), run.model_name)
    is_adapter = (checkpoint / "adapter_config.json").exists()
    model = ["--model", base, "--adapter", str(checkpoint)] if is_adapter else ["--model", str(checkpoint)]
    words = ["stepalign", "evaluate", *model, "--problems", problems]
    words += ["--output_dir", str(run.directory / f"evaluated-{checkpoint.name}")]
    sampling = evaluation_sampling(run)
    words += _flag(EvaluateSettings, "prompt_templates", run.prompt_templates)
    for name in ("num_samples", "max_new_tokens", "temperature", "top_p", "top_k"):
        words += _flag(EvaluateSettings, name, getattr(sampling, name))
    words += ["--columns", *run.training.columns] if run.training.columns else []
    patterns = run.training.answer_patterns
    words += [] if patterns == TrainSettings().answer_patterns else ["--answer_patterns", *(patterns or ())]
    words += ["--grader", run.training.grader] if run.training.grader else []
    words += ["--no_thinking"] if run.chat_template_kwargs.get("enable_thinking") is False else []
    return [*commands, words]


def _flag(group: type, name: str, value: object) -> list[str]:
    """A setting's flag and value, nothing where it is the default."""
    return [] if value == default_of(fields_of(group)[name]) else [f"--{name}", str(value)]
