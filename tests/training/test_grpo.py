import copy

import pytest

from stepalign.core.rollout import Grade, Outcome
from stepalign.micro import World, make_problems
from stepalign.training.arguments import SelfDistillationConfig
from stepalign.training.grpo import GroupTrainer, grpo_config
from stepalign.training.rollouts import RolloutLog

PROBLEMS = make_problems(World(), 8, seed=2)


def config(directory, **kwargs):
    return SelfDistillationConfig(
        str(directory), per_device_train_batch_size=2, max_steps=1, max_completion_length=24, report_to="none",
        gradient_checkpointing=False, save_strategy="no", disable_tqdm=True, learning_rate=1e-3, seed=3, **kwargs,
    )  # fmt: skip


def test_grpo_takes_as_many_prompts_and_keeps_its_micro_batches(tmp_path):
    args = config(tmp_path, gradient_accumulation_steps=3, temperature=0.7)
    grpo = grpo_config(args, num_generations=4)
    assert grpo.per_device_train_batch_size == 2
    assert grpo.generation_batch_size == 2 * 3 * 4  # 6 prompts, 4 rollouts each
    assert (grpo.learning_rate, grpo.temperature, grpo.seed, grpo.max_completion_length) == (1e-3, 0.7, 3, 24)


def test_the_reward_is_our_grade_and_a_timeout_is_none(micro_solver, tmp_path):
    outcomes = [Outcome.CORRECT, Outcome.WRONG, Outcome.UNPARSEABLE, Outcome.TIMEOUT]

    def grade(rollouts):
        return [Grade(outcomes[i % 4]) for i in range(len(rollouts))]

    log = RolloutLog(tmp_path / "rollouts.jsonl")
    trainer = GroupTrainer(
        copy.deepcopy(micro_solver.model),
        problems=PROBLEMS,
        args=grpo_config(config(tmp_path), 4),
        grade=grade,
        prompt_templates="bare",
        processing_class=micro_solver.tokenizer,
        rollout_log=log,
    )
    eos = micro_solver.tokenizer.eos_token_id
    rewards = trainer.correctness([[5, eos]] * 4, [PROBLEMS[0].id] * 4)
    assert rewards == [1.0, 0.0, 0.0, None]
    trainer.train()
    metrics = trainer.state.log_history[0]
    assert metrics["rollouts/timeout_rate"] == pytest.approx(0.25)
    assert metrics["reward"] == pytest.approx(1 / 3)  # the timeout is left out, not counted as 0
    assert log.num_rollouts == 8
