from stepalign.core.problem import Problem
from stepalign.core.rollout import Grade, Outcome, Rollout
from stepalign.training.rollouts import RolloutLog, numbered, outcome_rates


def test_a_problems_samples_are_numbered_over_all_processes():
    # two processes with two samples each of the same group, and one of another problem
    rows = [{"problem_id": "p", "sample": 0}, {"problem_id": "p", "sample": 1}] * 2 + [{"problem_id": "q", "sample": 0}]
    assert [(row["problem_id"], row["sample"]) for row in numbered([dict(row) for row in rows])] == [
        ("p", 0), ("p", 1), ("p", 2), ("p", 3), ("q", 0),
    ]  # fmt: skip


def test_rates_are_shares_of_all_rollouts_and_ungraded_ones_count_for_none():
    problem = Problem("p", "?", "1")
    outcomes = [Outcome.CORRECT, Outcome.CORRECT, Outcome.TIMEOUT, None]
    rollouts = [Rollout(problem, i, "", grade=None if o is None else Grade(o)) for i, o in enumerate(outcomes)]
    rates = outcome_rates(rollouts)
    assert rates["rollouts/correct_rate"] == 0.5 and rates["rollouts/timeout_rate"] == 0.25
    assert sum(rates.values()) == 0.75
    assert set(outcome_rates([]).values()) == {0.0}


def test_only_one_process_writes_and_all_count(tmp_path):
    rollouts = [Rollout(Problem("p", "?", "1"), 0, "x", token_ids=(1, 2, 3))]
    log, silent = RolloutLog(tmp_path / "rollouts.jsonl"), RolloutLog(tmp_path / "rollouts.jsonl")
    log.add(1, rollouts)
    silent.add(1, rollouts, write=False)
    assert (log.num_rollouts, log.num_generated_tokens) == (silent.num_rollouts, silent.num_generated_tokens) == (1, 3)
    assert RolloutLog(tmp_path / "rollouts.jsonl").num_rollouts == 1
