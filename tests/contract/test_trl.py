"""The names of TRL and transformers that we build on, `training.trl_hooks.HOOKS`: which of them went after an upgrade.

`python tests/contract/test_trl.py` writes the table in docs/decisions/0002-training-over-trl.md anew.
"""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest
from transformers import Qwen3Config, Qwen3ForCausalLM, Trainer
from trl import DistillationConfig, DistillationTrainer, GRPOConfig, GRPOTrainer
from trl.trainer.utils import RepeatSampler

from stepalign.core.errors import ConfigError
from stepalign.core.problem import Problem
from stepalign.feedback.from_references import RefSol
from stepalign.micro import SOLVER_DIR
from stepalign.models.loading import load_tokenizer
from stepalign.settings.trainer import SelfDistillationConfig
from stepalign.training.generation import EpochSampler, OwnRollouts
from stepalign.training.grpo import NOT_SHARED, GroupTrainer, grpo_config
from stepalign.training.self_distillation import SelfDistillationTrainer
from stepalign.training.trl_hooks import HOOKS, check_hooks

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "stepalign"
DOCUMENT = ROOT / "docs" / "decisions" / "0002-training-over-trl.md"
CLASSES = {c.__name__: c for c in (DistillationTrainer, GRPOTrainer, Trainer, RepeatSampler)}
CLASSES["DistillationConfig"] = DistillationConfig
LISTED = {hook.name for hook in HOOKS}
CHECKED = [hook for hook in HOOKS if set(hook.owners) & {"DistillationTrainer", "GRPOTrainer", "Trainer"}]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An object of each class that has hooks; both trainers are ours, and have checked themselves."""
    tokenizer = load_tokenizer(str(SOLVER_DIR))
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "head_dim": 8}
    config = Qwen3Config(vocab_size=len(tokenizer), num_attention_heads=1, num_key_value_heads=1, **sizes)
    args = SelfDistillationConfig(str(tmp_path_factory.mktemp("run")), gradient_checkpointing=False)
    shared = {"problems": [Problem("p", "What is 5 + 2?", "7", "5 + 2 = 7.")], "processing_class": tokenizer}
    ours = SelfDistillationTrainer(Qwen3ForCausalLM(config), feedback=RefSol(), args=args, **shared)
    grpo = GroupTrainer(Qwen3ForCausalLM(config), args=grpo_config(args, 2), grade=lambda rollouts: [], **shared)
    others = {
        "RepeatSampler": RepeatSampler([0], 1),
        "DistillationConfig": args,
    }
    return {"DistillationTrainer": ours, "GRPOTrainer": grpo, "Trainer": ours, **others}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.name)
def test_the_hook_is_there(hook, made):
    for owner in hook.owners:
        if hook.kind == "imported":
            assert hasattr(importlib.import_module(owner), hook.name), f"{owner}.{hook.name} is gone"
        else:
            assert hook.is_in(CLASSES[owner], made[owner]), f"{owner}.{hook.name} is gone"


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook.kind == "overridden"], ids=lambda hook: hook.name)
def test_what_we_override_is_called(hook):
    for owner in hook.owners:
        called = names_of_self(CLASSES[owner]) | names_of_self(Trainer)
        assert hook.name in called, f"nobody calls {owner}.{hook.name} any more"


def trainer_with(hooks, owner):
    """A made trainer whose base, of the name `owner`, has these hooks alone."""
    base = type(owner, (), {hook.name: None for hook in hooks if hook.kind == "overridden" and owner in hook.owners})
    trainer = type("Ours", (base,), {hook.name: None for hook in HOOKS if hook.kind == "overridden"})()
    vars(trainer).update({hook.name: None for hook in hooks if hook.kind == "read"})
    return trainer


@pytest.mark.parametrize("hook", CHECKED, ids=lambda hook: hook.name)
def test_a_trainer_says_which_hook_is_gone(hook):
    for owner in hook.owners:
        check_hooks(trainer_with(HOOKS, owner))
        with pytest.raises(ConfigError, match=rf"has no {owner}\.{hook.name}; training needs it"):
            check_hooks(trainer_with([other for other in HOOKS if other is not hook], owner))


def test_our_source_builds_on_no_other_name():
    theirs = set.union(*(names_of_self(c) | names_of_class(c) for c in CLASSES.values()))
    used = {name for path in SOURCE.rglob("*.py") for name in names_of(CLASSES, path)}
    used |= {
        name for path in (SOURCE / "training").rglob("*.py") for name in names_of(["trainer", "self.trainer"], path)
    }
    for ours in (SelfDistillationTrainer, GroupTrainer, OwnRollouts, EpochSampler):
        used |= names_of_self(ours) | names_in_quotes(ours)
    for ours in (SelfDistillationTrainer, GroupTrainer, OwnRollouts):
        used |= {*vars(ours)}
    of_python = {name for name in used if name.startswith("__")}
    assert (used & theirs) - of_python <= LISTED


def test_our_source_imports_no_other_name():
    imported = {
        (node.module, alias.name)
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("trl.", "transformers.integrations"))
        for alias in node.names
    }
    assert imported == {(owner, hook.name) for hook in HOOKS if hook.kind == "imported" for owner in hook.owners}


def test_every_listed_name_is_used():
    text = "\n".join(path.read_text() for path in SOURCE.rglob("*.py") if path.name != "trl_hooks.py")
    assert [hook.name for hook in HOOKS if not re.search(rf"\b{hook.name}\b", text)] == []


def names_of_self(cls):
    """Every X of `self.X` and `super().X` in the source of a class."""
    nodes = ast.walk(ast.parse(inspect.getsource(cls)))
    of = ("self", "super()")
    return {node.attr for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) in of}


def names_of_class(cls):
    """What a class and its bases define."""
    return {name for base in cls.__mro__ if base is not object for name in vars(base)}


def names_in_quotes(cls):
    """Every string in the source of a class: what `getattr` may be given."""
    nodes = ast.walk(ast.parse(inspect.getsource(cls)))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def names_of(objects, path):
    """Every X of `object.X` in a file."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.attr for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) in objects}


def table():
    """The list as docs/decisions/0002 shows it."""
    rows = [f"| {', '.join(f'`{owner}`' for owner in h.owners)} | `{h.name}` | {h.kind} | {h.why} |" for h in HOOKS]
    return "\n".join(["| of | name | kind | why |", "|---|---|---|---|", *rows]) + "\n"


BLOCK = r"(<!-- hooks -->\n)(.*?)(<!-- end of hooks -->)"


def test_the_decision_shows_the_list_as_it_is():
    shown = re.search(BLOCK, DOCUMENT.read_text(), flags=re.DOTALL)
    assert shown is not None and shown[2] == table()


def test_the_loss_hook_takes_and_gives_what_we_take_and_give():
    parameters = list(inspect.signature(DistillationTrainer._compute_loss).parameters)
    assert parameters == ["self", "unwrapped_student", "inputs", "num_items_in_batch"]
    assert "loss, entropy_sum, num_valid_tokens" in inspect.getsource(DistillationTrainer.compute_loss)


def test_a_batch_has_the_keys_that_we_read():
    source = inspect.getsource(DistillationTrainer._generate_and_score_completions)
    for key in ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask", "num_items_in_batch"):
        assert f'"{key}"' in source


def test_the_teacher_may_be_left_out():
    assert inspect.signature(DistillationTrainer.__init__).parameters["teacher_model"].default is None


def test_a_reward_of_none_is_left_out_of_its_group():
    assert "unscorable_mask" in inspect.getsource(GRPOTrainer._generate_and_score_completions)


def test_settings_with_one_name_and_two_meanings_are_the_known_ones():
    shared = set(DistillationConfig.__dataclass_fields__) & set(GRPOConfig.__dataclass_fields__)
    assert shared >= NOT_SHARED


def test_rollouts_are_asked_for_with_the_arguments_that_we_take():
    for trainer in (DistillationTrainer, GRPOTrainer):
        parameters = list(inspect.signature(trainer._generate_single_turn).parameters)
        assert parameters[1:4] == ["prompt_ids", "images", "multimodal_fields"]


if __name__ == "__main__":
    DOCUMENT.write_text(re.sub(BLOCK, lambda m: m[1] + table() + m[3], DOCUMENT.read_text(), flags=re.DOTALL))
