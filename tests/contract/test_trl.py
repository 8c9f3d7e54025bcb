"""The private names of TRL that we build on. When one of these fails after an upgrade, it says which hook moved."""

import inspect

import pytest
from trl import DistillationConfig, DistillationTrainer, GRPOConfig, GRPOTrainer

from stepalign.training.grpo import NOT_SHARED


@pytest.mark.parametrize(
    "hook",
    [
        *("_generate_and_score_completions", "_compute_loss", "_get_last_hidden_state", "_prepare_inputs"),
        *("compute_loss", "_save_checkpoint", "_load_from_checkpoint"),
    ],
)
def test_the_distillation_trainer_has_the_hook(hook):
    assert callable(getattr(DistillationTrainer, hook, None)), f"trl.DistillationTrainer.{hook} is gone"


def test_the_loss_hook_takes_and_gives_what_we_take_and_give():
    parameters = list(inspect.signature(DistillationTrainer._compute_loss).parameters)
    assert parameters == ["self", "unwrapped_student", "inputs", "num_items_in_batch"]
    assert "loss, entropy_sum, num_valid_tokens" in inspect.getsource(DistillationTrainer.compute_loss)


def test_a_batch_has_the_keys_that_we_read():
    source = inspect.getsource(DistillationTrainer._generate_and_score_completions)
    for key in ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask", "num_items_in_batch"):
        assert f'"{key}"' in source


def test_trainers_keep_the_attributes_that_we_use():
    for trainer in (DistillationTrainer, GRPOTrainer):
        source = inspect.getsource(trainer.__init__)
        for name in ("self.eos_token_ids", "self._tokenizer", "self._metrics"):
            assert name in source, f"{trainer.__name__} has no {name}"


def test_the_teacher_may_be_left_out():
    assert inspect.signature(DistillationTrainer.__init__).parameters["teacher_model"].default is None


def test_a_reward_of_none_is_left_out_of_its_group():
    assert "unscorable_mask" in inspect.getsource(GRPOTrainer._generate_and_score_completions)


def test_settings_with_one_name_and_two_meanings_are_the_known_ones():
    shared = set(DistillationConfig.__dataclass_fields__) & set(GRPOConfig.__dataclass_fields__)
    assert shared >= NOT_SHARED
