"""From what was given to a run, with all checks in one order, before anything is loaded, asked or written:

    1. every name is a setting's and every value fits its type     (`given`)
    2. plugins import, conditions exist, those that need a critic have a complete one, and responses can be graded
    3. rollouts can be sampled: vLLM is there where it is asked for
    4. the model is there, and its prompts are settled
    5. problems can be read, none is in two splits, and they fill a step
    6. there is a GPU for each process, where there are GPUs
    7. the critic gives a sign of life, where a condition asks it (a comparison asks once, and not in its children)

    >>> from stepalign.settings.commands import TRAIN
    >>> from stepalign.settings.given import read_given
    >>> run = resolve_training(read_given(TRAIN, ["--config", "micro", "--condition", "refsol", "--output_dir", "out"]))
    >>> run.training.condition
    'refsol'

`offline` is a dry run's: nothing outside this machine is looked at, so that a hub's model may be planned for.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trl.import_utils import is_vllm_available
from trl.trainer.model_config import ModelConfig

from stepalign.clients.alive import check_alive
from stepalign.core.errors import ConfigError
from stepalign.core.problem import Problem
from stepalign.core.prompts import check_templates
from stepalign.core.settings import default_of, fields_of
from stepalign.feedback.conditions import GRPO, check_condition, needs_critic
from stepalign.feedback.critics.build import check_critic, check_feedback
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.formats import feedback_class, feedback_names, load_plugins
from stepalign.models.devices import check_num_processes, visible_devices
from stepalign.models.loading import check_model, read_own_defaults, templates_for
from stepalign.runs.files import RESULTS, is_trained
from stepalign.runs.world import MICRO, OWN, WORLD
from stepalign.settings.given import Given
from stepalign.settings.grading import check_grading
from stepalign.settings.groups import (
    ComparisonSettings,
    EvalSettings,
    MicroSettings,
    PreflightSettings,
    TrainSettings,
    ValidationSettings,
)
from stepalign.settings.models import resolve_model
from stepalign.settings.problems import (
    check_num_problems,
    compared_problems,
    is_of_micro_world,
    preflight_problems,
    training_problems,
    validation_problems,
)
from stepalign.settings.run import ComparedRun, PreflightRun, Run, World, record_of, world_size
from stepalign.settings.trainer import SelfDistillationConfig, parse_trainer


def resolve_training(
    given: Given, *, offline: bool = False, need_directory: bool = True, asks_critic: bool = True
) -> Run:
    """One condition's training.

    Args:
        asks_critic: whether the critic must give a sign of life.
    Raises:
        ConfigError, DataError, ModelError, CriticError: the first check that fails.
    """
    if need_directory and not given.get("output_dir"):
        raise ConfigError("train needs --output_dir: the directory for checkpoints and records.")
    training, micro = given.make(TrainSettings), given.make(MicroSettings)
    validation, evaluation = given.make(ValidationSettings), given.make(EvalSettings)
    trainer, model, _ = parse_trainer(given.values, given.trl_flags)
    critic = _check_feedback(given, training, [training.condition])
    _check_sampler(trainer)
    training = _settle_model(training, model, offline, [training.condition])
    name = str(model.model_name_or_path)
    problems = training_problems(training.train_problems, micro, name, training.columns)
    _check_step(problems, trainer, world_size(trainer), training, [training.condition])
    splits = {"train": problems, "validation": validation_problems(validation, problems, training.columns)}
    watching = (validation, evaluation) if splits["validation"] else ()
    if asks_critic and not offline and not is_trained(Path(str(trainer.output_dir)), trainer.max_steps):
        _ask_critic(critic, [training.condition])
    world = _world(training.train_problems, name)
    record = record_of(
        training, micro, _critic_record(given, critic), trainer.to_dict(), model, *watching, {WORLD: world}
    )
    return Run(training, micro, model, trainer, critic, evaluation, splits, world, record, validation)


def resolve_comparison(given: Given, *, offline: bool = False) -> ComparedRun:
    """Conditions and seeds that are trained alike; `record` holds ours as resolved, TRL's as given: their defaults are
    resolved by each child and compared afterwards.

    Raises:
        ConfigError, DataError, ModelError, CriticError: the first check that fails.
    """
    training, micro = given.make(TrainSettings), given.make(MicroSettings)
    comparison, evaluation = given.make(ComparisonSettings).with_controls(), given.make(EvalSettings)
    trainer, model, trl_given = parse_trainer(given.values, given.trl_flags)
    _check_complete(given, training, comparison, trainer, model)
    critic = _check_feedback(given, training, comparison.conditions)
    _check_sampler(trainer)
    training = _settle_model(training, model, offline, comparison.conditions)
    name = str(model.model_name_or_path)
    problems = compared_problems(training.train_problems, comparison, micro, name, training.columns)
    check_num_processes(comparison.num_processes, visible_devices())
    _check_step(problems["train"], trainer, comparison.num_processes, training, comparison.conditions)
    if not offline and not (Path(str(trainer.output_dir)) / RESULTS).exists():
        _ask_critic(critic, comparison.conditions)
    world = _world(training.train_problems, name)
    record = record_of(
        trl_given, _critic_record(given, critic), training, micro, comparison, evaluation, {WORLD: world}
    )
    return ComparedRun(
        training, micro, model, trainer, critic, evaluation, problems, world, record, comparison=comparison
    )


def resolve_preflight(given: Given) -> PreflightRun:
    """Formats to try on a few problems; conditions without a format are left out.

    Raises:
        ConfigError, DataError, ModelError, CriticError: the first check that fails.
    """
    if not given.get("output_dir"):
        raise ConfigError("preflight needs --output_dir: the directory for samples and results.")
    training, micro, preflight = given.make(TrainSettings), given.make(MicroSettings), given.make(PreflightSettings)
    trainer, model, _ = parse_trainer(given.values, given.trl_flags)
    names = list(dict.fromkeys(name for name in preflight.conditions if name != GRPO))
    if not names:
        raise ConfigError("conditions: got no feedback format; expected at least one, for example refsol stepalign.")
    critic = _check_feedback(given, training, names)
    training = _settle_model(training, model, False, names)
    name = str(model.model_name_or_path)
    path = preflight.problems or training.train_problems
    _ask_critic(critic, names)
    tried, samples = preflight_problems(preflight, path, micro, name, training.columns, trainer.seed)
    record: dict[str, object] = {}
    for group, kept in ((preflight, PREFLIGHT_OWN), (training, PREFLIGHT_TRAINING), (trainer, PREFLIGHT_TRAINER)):
        record |= record_of({key: getattr(group, key) for key in kept})
    record |= record_of({key: getattr(model, key) for key in PREFLIGHT_MODEL})
    record |= record_of(_critic_record(given, critic))
    count, size = preflight.num_samples, preflight.eval_batch_size
    evaluation = EvalSettings(num_samples=count, eval_batch_size=size, eval_seed=trainer.seed)
    world = _world(path or preflight.samples, name)
    preflight, problems = replace(preflight, conditions=names), {"train": tried}
    shared = training, micro, model, trainer, critic, evaluation, problems, world, record
    return PreflightRun(*shared, preflight=preflight, samples=samples)


PREFLIGHT_MODEL = ("model_name_or_path", "model_revision", "dtype")
PREFLIGHT_TRAINER = (
    *("seed", "temperature", "top_p", "top_k", "max_completion_length"),
    *("chat_template_kwargs", "teacher_chat_template_kwargs"),
)
PREFLIGHT_TRAINING = (
    "prompt_templates",
    "max_teacher_prompt_length",
    "answer_patterns",
    "grader",
    "plugins",
    "peer_samples",
)
PREFLIGHT_OWN = ("conditions", "num_samples", "samples", "eval_batch_size")


def resolve_critic(given: Given) -> CriticSettings | None:
    """The critic's settings, None where none is set; a base URL alone means the openai critic.

    Raises:
        ConfigError: a setting of the critic is missing or wrong.
    """
    kind = given.values.get("critic") or ("openai" if given.values.get("critic_base_url") else None)
    return given.make(CriticSettings, critic=kind) if kind else None


def defaults_of_all() -> dict[str, object]:
    """The record of a training or a comparison in which nothing was given."""
    groups = (TrainSettings, MicroSettings, ComparisonSettings, ValidationSettings, EvalSettings)
    critic = {name: default_of(item) for name, item in fields_of(CriticSettings).items()}
    trainer = SelfDistillationConfig("none").to_dict()
    return record_of(*(group() for group in groups), {**critic, "critic": None}, trainer, ModelConfig())


def _check_feedback(given: Given, training: TrainSettings, conditions: Sequence[str]) -> CriticSettings | None:
    load_plugins(training.plugins)
    if not conditions:
        raise ConfigError("conditions: got none; expected at least one, for example: --conditions grpo stepalign.")
    critic = resolve_critic(given)
    for condition in conditions:
        check_condition(condition)
    if critic is not None:
        check_critic(critic)
    for condition in conditions:
        if condition != GRPO:
            check_feedback(condition, critic)
    check_grading(training)
    return critic


def _ask_critic(critic: CriticSettings | None, conditions: Sequence[str]) -> None:
    """Raises CriticError where a condition will ask a critic that gives no sign of life."""
    if critic is not None and any(map(needs_critic, conditions)):
        check_alive(critic.client_settings())


def _critic_record(given: Given, critic: CriticSettings | None) -> dict[str, object]:
    """The critic's settings, also where none is asked: what was said of one is then on record, unchecked."""
    return record_of(critic) if critic is not None else {**given.record(CriticSettings), "critic": None}


def _check_complete(
    given: Given,
    training: TrainSettings,
    comparison: ComparisonSettings,
    trainer: SelfDistillationConfig,
    model: ModelConfig,
) -> None:
    """Raises ConfigError with all that a comparison still lacks, in one message."""
    lacks: list[str] = []
    name = model.model_name_or_path
    if not name:
        lacks.append("a model: --model_name_or_path, a directory, GGUF file or hub name")
    files = {"train": training.train_problems, **vars(comparison)}
    missing = [n for n in ("train", "validation_problems", "test_problems") if files[n] is None]
    flags = [f"--{split.removesuffix('_problems')}_problems" for split in missing]
    if name and flags and (len(flags) < 3 or not is_of_micro_world(resolve_model(name))):
        lacks.append(f"problems: {', '.join(flags)}")
    if trainer.max_steps <= 0:
        lacks.append("--max_steps, such as 70")
    if trainer.save_steps < 1:
        lacks.append("--save_steps of 1 or more, such as 10")
    formats = [c for c in comparison.conditions if c in feedback_names() and feedback_class(c).needs_critic]
    if formats and resolve_critic(given) is None:
        which = "--critic_base_url and --critic_model, or --critic exact in the micro world"
        lacks.append(f"a critic for {', '.join(formats)}: {which}; or other --conditions")
    if lacks:
        raise ConfigError("compare lacks\n" + "\n".join(f"  {what}" for what in lacks))


def _check_sampler(trainer: SelfDistillationConfig) -> None:
    """Raises ConfigError where rollouts are to come from a vLLM that is not installed here."""
    if trainer.use_vllm and not is_vllm_available():
        raise ConfigError(
            "use_vllm is set, and vLLM is not installed in this environment. Install it (pip install 'stepalign[vllm]' "
            "in an environment of its own), or sample with transformers: --use_vllm false."
        )


def _settle_model(
    training: TrainSettings, model: ModelConfig, offline: bool, conditions: Sequence[str]
) -> TrainSettings:
    """Find the model, write its directory into TRL's settings, and settle the prompts that it was made for."""
    name = model.model_name_or_path = resolve_model(model.model_name_or_path)
    is_local = Path(name).exists() or name.startswith((".", "/", "~"))
    if is_local or not offline:
        check_model(name)
    own = read_own_defaults(name) if is_local or not offline else {}
    family = templates_for(training.prompt_templates, own)
    check_templates(family, ["student"] if [*conditions] == [GRPO] else ["student", "teacher"])
    return replace(training, prompt_templates=family)


def _check_step(
    problems: Sequence[Problem],
    trainer: SelfDistillationConfig,
    num_processes: int,
    training: TrainSettings,
    conditions: Sequence[str],
) -> None:
    size, accumulation = trainer.per_device_train_batch_size, trainer.gradient_accumulation_steps
    check_num_problems(len(problems), size, accumulation, num_processes)
    rollouts, group = size * accumulation * num_processes, training.num_generations
    if GRPO in conditions and training.grpo_equal == "rollouts" and rollouts % group:
        more = math.lcm(size * num_processes, group) * -(-rollouts // math.lcm(size * num_processes, group))
        warnings.warn(
            f"grpo_equal is rollouts, and the {rollouts} of a step are no whole groups of {group} (num_generations): "
            f"grpo takes {more} a step. Change the batch or num_generations to have them equal.",
            stacklevel=2,
        )


def _world(problems: str | None, model: str) -> World:
    return MICRO if problems is None or is_of_micro_world(model) else OWN
