import copy

import pytest
import torch

from stepalign.core.rollout import Grade, Outcome
from stepalign.micro import World, make_problems
from stepalign.runs.row import read_rows
from stepalign.runs.rows import RolloutRow
from stepalign.settings.trainer import SelfDistillationConfig
from stepalign.training.grpo import GroupTrainer, grpo_config
from stepalign.training.rollouts import RolloutLog

PROBLEMS = make_problems(World(), 8, seed=2)


def config(directory, **kwargs):
    settings = dict(
        per_device_train_batch_size=2, max_steps=1, max_completion_length=24, report_to="none",
        gradient_checkpointing=False, save_strategy="no", disable_tqdm=True, learning_rate=1e-3, seed=3,
    )  # fmt: skip
    return SelfDistillationConfig(str(directory), **{**settings, **kwargs})


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


MIXED = [Outcome.CORRECT, Outcome.WRONG, Outcome.WRONG, Outcome.TIMEOUT]  # three have an advantage
AGREED = [Outcome.WRONG] * 4


def descend(micro_solver, directory, outcomes):
    """One step of gradient descent on 4 groups of 4: what it changed, and the micro-batches that it took."""
    model = copy.deepcopy(micro_solver.model)
    descent = {"optim": "sgd", "learning_rate": 1.0, "max_grad_norm": 0.0}
    trainer = GroupTrainer(
        model,
        problems=PROBLEMS,
        args=grpo_config(config(directory, gradient_accumulation_steps=2, **descent), 4),
        grade=lambda rollouts: [Grade(outcome) for outcome in outcomes],
        prompt_templates="bare",
        processing_class=micro_solver.tokenizer,
    )
    trainer.train()
    after, before = model.state_dict(), micro_solver.model.state_dict()
    return torch.cat([(after[name] - before[name]).flatten() for name in before]), trainer._buffered_inputs


def test_rollouts_without_an_advantage_take_no_pass_and_the_gradient_is_the_same(micro_solver, tmp_path, monkeypatch):
    outcomes = [*MIXED, *AGREED, *MIXED, *MIXED]
    change, batches = descend(micro_solver, tmp_path / "trimmed", outcomes)
    assert [len(batch["advantages"]) for batch in batches] == [2, 1, 1, 1, 1, 1, 1, 1]
    assert all((batch["advantages"] != 0).all() for batch in batches)
    for batch in batches:  # no column is padding alone
        assert batch["prompt_mask"].any(dim=0).all() and batch["completion_mask"].any(dim=0).all()
        assert batch["prompt_ids"].shape == batch["prompt_mask"].shape
    monkeypatch.setattr(GroupTrainer, "_is_sum_over_advantages", lambda self, batches: False)
    whole, batches = descend(micro_solver, tmp_path / "whole", outcomes)
    assert [len(batch["advantages"]) for batch in batches] == [2] * 8
    assert whole.norm() > 0
    assert (change - whole).norm() < 1e-4 * whole.norm()


def test_a_step_in_which_all_groups_agree_changes_nothing(micro_solver, tmp_path):
    change, batches = descend(micro_solver, tmp_path, AGREED * 4)
    assert len(batches) == 8
    assert not change.any()


def test_the_reward_is_the_score_where_there_is_one_and_none_for_an_error(micro_solver, tmp_path):
    grades = [Grade(Outcome.WRONG, score=0.25), Grade(Outcome.CORRECT, score=2.0), Grade(Outcome.ERROR)]
    log = RolloutLog(tmp_path / "rollouts.jsonl")
    trainer = GroupTrainer(
        copy.deepcopy(micro_solver.model),
        problems=PROBLEMS,
        args=grpo_config(config(tmp_path), 4),
        grade=lambda rollouts: grades,
        prompt_templates="bare",
        processing_class=micro_solver.tokenizer,
        rollout_log=log,
    )
    eos = micro_solver.tokenizer.eos_token_id
    trainer.model.train()  # rollouts of an evaluation are not recorded
    assert trainer.correctness([[5, eos]] * 3, [PROBLEMS[0].id] * 3) == [0.25, 2.0, None]
    rows = read_rows(tmp_path / "rollouts.jsonl", RolloutRow)
    assert [(row.grade, row.score) for row in rows] == [("wrong", 0.25), ("correct", 2.0), ("error", None)]
    assert rows[0].rollout(PROBLEMS[0]).grade == grades[0]
