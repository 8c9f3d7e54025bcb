"""The card of a trained model, README.md of the run and of each checkpoint: what it was made from, by what, how good it
is where that was measured, and what nobody knows of it. TRL's own would name another method and no base model.

`huggingface_hub.ModelCard` reads it. The license is left to whoever publishes the model: it depends on the base model
and on the problems. Of paths only the last part is shown, of servers nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import yaml
from accelerate import Accelerator
from huggingface_hub import ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl import ModelConfig

from stepalign.core.environment import describe_environment
from stepalign.core.files import write_text
from stepalign.core.settings import default_of, fields_of, may_change, names_of
from stepalign.feedback.conditions import GRPO, needs_critic
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.runs.evaluations import EvaluationRow, accuracy_keys
from stepalign.runs.files import EVALUATIONS, METRICS, checkpoint_directory
from stepalign.runs.row import read_rows
from stepalign.runs.rows import MetricsRow
from stepalign.runs.world import MICRO
from stepalign.settings.groups import EvalSettings, MicroSettings, TrainSettings, ValidationSettings
from stepalign.settings.models import MICRO as MICRO_MODEL
from stepalign.settings.models import resolve_model
from stepalign.settings.run import Run, plain
from stepalign.settings.trainer import TRL_MAY_CHANGE, SelfDistillationConfig
from stepalign.training.summary import changes, ends, validated

CARD = "README.md"
KINDS = (
    *(TrainSettings, MicroSettings, ValidationSettings, EvalSettings, CriticSettings),
    *(SelfDistillationConfig, ModelConfig),
)
# told elsewhere in the card, private to the machine, or derived from other settings
NOT_SHOWN = {
    *("condition", "train_problems", "validation_problems", "model_name_or_path", "critic", "critic_model", "seed"),
    *("critic_base_url", "hub_token", "hub_model_id", "deepspeed", "fsdp_config"),
    *(
        "activation_checkpointing",
        "use_cpu",
        "accelerator_config",
        "dataloader_pin_memory",
        "debug",
        "pad_to_multiple_of",
    ),
}
PULLED = "self-distillation: on its own rollouts it is pulled, token by token, towards what it says itself with"
METHODS = {
    GRPO: "GRPO (arXiv 2402.03300) with a correct answer as reward, the study's baseline.",
    "refsol": f"{PULLED} the reference solution in its prompt (RefSol).",
    "stepalign": f"{PULLED} a critique in its prompt that follows that rollout step by step (StepAlignFB).",
}


class OwnCard:
    """Mixin before a TRL trainer. `write_card`: None, and there is no card; TRL's would say what is not so."""

    accelerator: Accelerator
    write_card: Callable[[], object] | None = None

    def create_model_card(self, *unused: object, **options: object) -> None:
        """Called by TRL before a checkpoint is saved, and by transformers before a push to the hub."""
        if self.write_card is not None and self.accelerator.is_main_process:
            self.write_card()


class Cards(TrainerCallback):
    """A card beside each checkpoint's weights, before it is sealed, and one of the run as it stands at its end."""

    def __init__(self, run: Run):
        self.run = run

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """The checkpoint's card."""
        if state.is_world_process_zero:
            write_cards(self.run, checkpoint_directory(self.run.directory, state.global_step))

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """The run's card."""
        if state.is_world_process_zero:
            write_cards(self.run)


def write_cards(run: Run, checkpoint: Path | None = None) -> None:
    """The run's card and, of one checkpoint, its own."""
    write_text(run.directory / CARD, model_card(run, None))
    if checkpoint is not None:
        write_text(checkpoint / CARD, model_card(run, checkpoint))


def model_card(run: Run, checkpoint: Path | None) -> str:
    """The card of a checkpoint, or, for None, of the run: its last step, and the results of its best checkpoint."""
    rows = read_rows(run.directory / METRICS, MetricsRow)
    step = int(checkpoint.name.split("-")[-1]) if checkpoint is not None else rows[-1].step if rows else 0
    rows = [row for row in rows if row.step <= step]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    name = run.directory.name if checkpoint is None else f"{run.directory.name}, {checkpoint.name}"
    text = environment.get_template("model_card.md.jinja").render(
        name=name,
        base=_base_name(run),
        step=step,
        is_adapter=bool(run.model.use_peft),
        is_micro=run.world == MICRO,
        method=METHODS.get(run.training.condition) or f"{PULLED} a context in its prompt.",
        facts=_facts(run),
        settings=yaml.safe_dump(_differing(run), sort_keys=True, allow_unicode=True),
        validation=_validation(run.directory, checkpoint),
        changes=", ".join(f"{change.label} {change}" for change in changes(rows)),
        ends=ends(rows),
        prompt_templates=_name(run.prompt_templates),
        versions=", ".join(f"{k} {v}" for k, v in describe_environment()["packages"].items() if v),
    )
    return f"---\n{_front_matter(run)}\n---\n\n{text}"


def _front_matter(run: Run) -> str:
    condition = run.training.condition
    tags = ["stepalign", "trl", "grpo" if condition == GRPO else "self-distillation", condition]
    data = ModelCardData(
        base_model=_base(run),
        library_name="peft" if run.model.use_peft else "transformers",
        pipeline_tag="text-generation",
        tags=[*dict.fromkeys(tags), *(["micro-world"] if run.world == MICRO else [])],
    )
    return data.to_yaml()


def _base(run: Run) -> str | None:
    """The base model's name on the hub, None for a directory: the front matter may only name what can be found."""
    return None if Path(run.model_name).exists() else run.model_name


def _base_name(run: Run) -> str:
    own = "the micro world's solver" if run.model_name == resolve_model(MICRO_MODEL) else Path(run.model_name).name
    return _base(run) or own


def _facts(run: Run) -> list[tuple[str, str]]:
    training, num_train = run.training, len(run.problems["train"])
    data = "the micro world's" if training.train_problems is None else _data(training.train_problems)
    facts = [("condition", training.condition), ("base model", _base_name(run))]
    if training.condition != GRPO:
        facts.append(("critic", _critic(run)))
        facts.append(("teacher", str(run.trainer.teacher)))
    facts += [("training problems", f"{num_train}, {data}"), ("seed", str(run.trainer.seed))]
    if path := run.validation.validation_problems:
        facts.append(("validation problems", f"{len(run.problems.get('validation', ()))}, {_data(path)}"))
    return facts


def _data(source: str) -> str:
    """A file without its directory; a dataset of the hub under its whole name."""
    return Path(source).name if Path(source).exists() else source


def _critic(run: Run) -> str:
    critic, condition = run.critic, run.training.condition
    if critic is None or not needs_critic(condition):
        return "none"
    return f"{critic.critic}: {_name(critic.critic_model)}" if critic.critic_model else critic.critic


def _differing(run: Run) -> dict[str, object]:
    record = run.record
    defaults: dict[str, object] = {}
    for kind in KINDS:
        defaults |= {name: plain(default_of(item)) for name, item in fields_of(kind).items()}
    free = {*NOT_SHOWN, *TRL_MAY_CHANGE, *may_change(*KINDS)}
    free |= {"beta"} if record.get("divergence") != "jsd" else set()
    free |= {*names_of(CriticSettings)} if _critic(run) == "none" else set()
    return {
        name: _name(value)
        for name, value in record.items()
        if name in defaults and name not in free and value != defaults[name]
    }


def _name(value: object) -> object:
    """A setting without the directories of this machine."""
    if isinstance(value, list):
        return [_name(item) for item in cast("list[object]", value)]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def _validation(directory: Path, checkpoint: Path | None) -> dict[str, Any] | None:
    """What the card shows of the validation of a checkpoint, or of the best one."""
    best = validated(directory)
    name = checkpoint.name if checkpoint is not None else best.checkpoint if best is not None else ""
    rows = read_rows(directory / EVALUATIONS, EvaluationRow)
    row = next((row for row in rows if checkpoint_directory(directory, row.step).name == name), None)
    if row is None or not row.validation:
        return None
    metrics = row.validation
    intervals = {key: metrics.interval(key) for key in accuracy_keys([metrics])}
    chosen = (
        f"{name} is the best of {len(rows)} on these problems, so this is optimistic." if checkpoint is None else ""
    )
    return {
        "num_problems": metrics.num_problems,
        "num_samples": metrics.num_samples,
        "rows": [
            (key, f"{100 * metrics[key]:.1f}", f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}" if ends else "")
            for key, ends in intervals.items()
        ],
        "unanswered": metrics.unanswered,
        "note": chosen,
    }
