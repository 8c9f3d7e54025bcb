"""`stepalign train`: train one condition from a recipe and flags."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from enum import Enum
from pathlib import Path
from typing import Any

from stepalign.core.environment import describe_environment
from stepalign.core.errors import ConfigError
from stepalign.core.files import exclusive, read_json, write_json, write_text

COMMON = (
    "model_name_or_path",
    "use_peft",
    "lora_r",
    "lora_alpha",
    "lora_target_modules",
    "output_dir",
    "seed",
    "learning_rate",
    "max_steps",
    "save_steps",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "gradient_checkpointing",
    "max_completion_length",
    "temperature",
    "chat_template_kwargs",
    "use_vllm",
    "vllm_mode",
    "report_to",
)
# how long a run goes on and what it says meanwhile may change when it is taken up again
MAY_CHANGE = {
    *("max_steps", "num_train_epochs", "save_steps", "save_total_limit", "logging_steps", "logging_dir"),
    *("output_dir", "run_name", "report_to", "disable_tqdm", "early_stopping_patience"),
}
USAGE = "stepalign train [--config RECIPE.yaml] --output_dir DIR [--condition NAME] [--dry_run] [--key value ...]"
DESCRIPTION = """Train a model under one condition: grpo, refsol, stepalign, or a feedback format of your own.

  stepalign train --config micro --condition refsol --output_dir runs/refsol
  stepalign train --model_name_or_path Qwen/Qwen3-0.6B --use_peft --train_problems train.jsonl --output_dir runs/mine

Flags win over the recipe. Run again on the same directory, training goes on from the last checkpoint. --dry_run prints
the settings as resolved and what the run would take, and does nothing."""


def types() -> list[type]:
    from trl import ModelConfig

    from stepalign.cli.critics import critic_arguments
    from stepalign.training.arguments import SelfDistillationConfig, StudyArguments

    return [StudyArguments, critic_arguments(), SelfDistillationConfig, ModelConfig]


def train_types() -> list[type]:
    """The settings of this command alone: those of every training run, and validation while it trains."""
    from stepalign.cli.validation import validation_arguments

    return [*types(), validation_arguments()]


def run(argv: Sequence[str]) -> None:
    """Entry of the command: `argv` is what follows `train`."""
    from stepalign.cli.config import parse_settings, print_settings
    from stepalign.cli.quiet import quieten

    if "--help" in argv or "-h" in argv or "--help_all" in argv:
        print_settings(train_types(), USAGE, DESCRIPTION, COMMON, "--help_all" in argv)
        return
    quieten()
    argv, dry = [word for word in argv if word != "--dry_run"], "--dry_run" in argv
    settings, given = parse_settings(train_types(), argv)
    args = settings[2]
    if dry:
        dry_run(*settings)
        return
    if not given.get("output_dir"):
        raise ConfigError("train needs --output_dir: the directory for checkpoints and records.")
    with exclusive(Path(args.output_dir)) if args.process_index == 0 else nullcontext():
        checkpoints = train_condition(*settings)
    if args.process_index == 0:
        last = f"; the last one: {checkpoints[-1].name}" if checkpoints else ""
        print(f"{len(checkpoints)} checkpoint(s) in {args.output_dir}{last}{best_of(Path(args.output_dir))}")


def best_of(directory: Path) -> str:
    """The end of the line about a run's checkpoints, where validation chose one."""
    path = directory / "best.json"
    if not path.exists():
        return ""
    best = read_json(path)
    return f"; the best one on validation: {best['checkpoint']}, {best['metric']} {best['value']:.3f}"


def dry_run(study: Any, critic: Any, args: Any, model_args: Any, validation: Any) -> None:
    """Check the settings and print what the run would do."""
    from stepalign.cli.critics import check_study, resolve_critic
    from stepalign.cli.dry_run import print_plan
    from stepalign.cli.validation import check_validation
    from stepalign.cli.wiring import training_problems
    from stepalign.training.run import check_num_problems

    check_study(study, critic, [study.condition])
    resolve_critic(critic)
    problems = training_problems(study, model_args.model_name_or_path)
    check_num_problems(len(problems), args, args.world_size)
    check_validation(validation, problems)
    if args.process_index == 0:
        training = (study, critic, args, model_args)
        print_plan(training, vars(validation), [study.condition], 1, problems, args.world_size)


def train_condition(study: Any, critic: Any, args: Any, model_args: Any, validation: Any = None) -> list[Path]:
    """Wire problems, grader, critic and perhaps validation to one training run, and stamp its directory."""
    import yaml

    from stepalign.cli.critics import check_study, make_critic, resolve_critic
    from stepalign.cli.validation import check_validation, make_validate
    from stepalign.cli.wiring import resolve_model, training_problems
    from stepalign.feedback.formats import feedback_class
    from stepalign.grading import Grader
    from stepalign.models.loading import check_model, read_own_defaults, templates_for
    from stepalign.training.run import GRPO, TrainingRun, train

    check_study(study, critic, [study.condition])
    resolve_critic(critic)
    model_args.model_name_or_path = resolve_model(model_args.model_name_or_path)
    check_model(model_args.model_name_or_path)
    own = read_own_defaults(model_args.model_name_or_path)
    study.prompt_templates = templates_for(study.prompt_templates, own)
    problems = training_problems(study, model_args.model_name_or_path)
    directory = Path(args.output_dir)
    validated = check_validation(validation, problems) if validation is not None else []
    watching = vars(validation) if validated else {}
    resolved = plain({**vars(study), **vars(critic), **args.to_dict(), **vars(model_args), **watching})
    check_same_run(directory, resolved)
    if args.process_index == 0:
        write_text(directory / "config.yaml", yaml.safe_dump(resolved, sort_keys=True, allow_unicode=True))
        write_json(directory / "environment.json", describe_environment())
    with Grader(patterns=study.answer_patterns) as grader:

        def grade(rollouts: Any) -> list[Any]:
            return [grader.grade(r.text, r.problem.answer) for r in rollouts]

        needs_critic = study.condition != GRPO and feedback_class(study.condition).needs_critic
        processes = (args.process_index, args.world_size)
        source = make_critic(critic, grader.grade, directory, processes) if needs_critic else None
        probed = study.probe_steps and study.condition != GRPO and not needs_critic
        probe_critic = make_critic(critic, grader.grade, directory / "probes") if probed else None
        training = TrainingRun(study, model_args, args, problems, grade, source, probe_critic)
        if validation is not None and validated:
            base = model_args.model_name_or_path
            training.validate = make_validate(validation, study, args, base, validated, grader)
            training.patience = validation.early_stopping_patience
        with disk_full_as_os_error(directory):
            checkpoints = train(training)
        if source is not None:
            source.write_total()
        return checkpoints


@contextmanager
def disk_full_as_os_error(directory: Path) -> Generator[None]:
    """safetensors and torch tell of a full disk by errors of their own; make it the one that has a clear message."""
    try:
        yield
    except Exception as error:
        full = "No space left" in str(error) or shutil.disk_usage(directory).free < 4096
        if isinstance(error, OSError) or not full:
            raise
        raise OSError(errno.ENOSPC, "No space left on device", str(directory)) from error


def check_same_run(directory: Path, resolved: dict[str, Any]) -> None:
    """Raises ConfigError where the directory holds another run, ours with other settings or a foreign one."""
    import yaml

    path = directory / "config.yaml"
    if not path.exists() and list(directory.glob("checkpoint-*")):
        raise ConfigError(
            f"{directory} holds checkpoints of another program; they would be removed. Use another --output_dir."
        )
    if not path.exists() or not list(directory.glob("checkpoint-*/progress.json")):
        return
    stored = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key in sorted({*stored, *resolved} - MAY_CHANGE):
        if stored.get(key) != resolved.get(key):
            raise ConfigError(
                f"{directory} holds a run with other settings: {key} is {stored.get(key)} there and "
                f"{resolved.get(key)} now. Use another --output_dir, or the settings it was started with."
            )


def plain(value: Any) -> Any:
    """Settings as YAML can hold them."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(v) for v in value]
    if isinstance(value, Enum):
        return value.value
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
