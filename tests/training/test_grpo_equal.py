"""What a step of GRPO has as many of as a step of self-distillation."""

import pytest

from stepalign.settings.trainer import SelfDistillationConfig
from stepalign.training.grpo import grpo_config


@pytest.mark.parametrize(
    ("equal", "micro_batch", "accumulation", "group", "prompts", "rollouts"),
    [
        ("rollouts", 32, 1, 8, 4, 32),
        ("rollouts", 4, 8, 8, 4, 32),
        ("prompts", 32, 1, 8, 32, 256),
        ("rollouts", 4, 1, 8, 1, 8),  # no whole group otherwise
        ("rollouts", 6, 1, 4, 3, 12),
    ],
)
def test_a_step_has_as_many_rollouts_or_prompts(tmp_path, equal, micro_batch, accumulation, group, prompts, rollouts):
    args = SelfDistillationConfig(
        str(tmp_path), per_device_train_batch_size=micro_batch, gradient_accumulation_steps=accumulation
    )
    config = grpo_config(args, group, equal)
    assert config.per_device_train_batch_size == micro_batch
    assert config.per_device_train_batch_size * config.gradient_accumulation_steps == rollouts
    assert rollouts // config.num_generations == prompts
