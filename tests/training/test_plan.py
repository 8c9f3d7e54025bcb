import pytest
from transformers import Qwen3Config

from stepalign.training.plan import SAMPLING_EFFICIENCY, TRAINING_EFFICIENCY, Workload, count_parameters, plan_run


def test_counts_and_flops_are_those_worked_by_hand():
    work = Workload(
        num_steps=10, prompts_per_step=4, max_completion_length=100, prompt_length=20, teacher_prompt_length=120,
        asks_critic=True,
    )  # fmt: skip
    plan = plan_run(work, num_parameters=1000)
    assert (plan.num_rollouts, plan.max_generated_tokens, plan.num_critic_calls) == (40, 4000, 40)
    assert plan.sampling_flops == 40 * 2 * 1000 * 120
    assert plan.training_flops == 40 * 1000 * (6 * 120 + 2 * 220)
    seconds = plan.sampling_flops / (SAMPLING_EFFICIENCY["gpu"] * 1e6)
    assert plan.seconds(1e6) == pytest.approx(seconds + plan.training_flops / (TRAINING_EFFICIENCY * 1e6))


def test_a_group_has_more_rollouts_and_neither_teacher_nor_critic():
    plan = plan_run(Workload(10, 4, 100, 20, rollouts_per_prompt=8, lora=True, checkpointing=True), 1000)
    assert (plan.num_rollouts, plan.num_critic_calls) == (320, 0)
    assert plan.training_flops == 320 * 1000 * (2 + 2 + 2) * 120


def test_without_the_models_size_nothing_is_estimated():
    plan = plan_run(Workload(10, 4, 100, 20))
    assert plan.num_rollouts == 40 and plan.flops is None and plan.seconds(1e12) is None


@pytest.mark.parametrize("tied", [True, False])
def test_the_embedding_counts_where_it_is_the_head(tied):
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "head_dim": 8}
    config = Qwen3Config(
        vocab_size=100, num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=tied, **sizes
    )
    attention = 16 * 16 * 2 + 16 * 8 * 2 + 2 * 8  # q and o, k and v, two norms
    block = attention + 3 * 16 * 32 + 2 * 16
    assert count_parameters(config) == 100 * 16 + block + 16
