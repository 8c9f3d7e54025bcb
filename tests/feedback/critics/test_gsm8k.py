"""Real model solutions: what the edit protocol keeps is kept character for character, and none is lost."""

import json
from pathlib import Path

import pytest
from tests.fault_server import Answer, FaultServer, attempt_of, edit

from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.core.trace import parse_trace
from stepalign.feedback.critics.verify import verbatim_counts

from .conftest import check_sums

DATA = Path(__file__).parents[4] / "shared" / "data" / "gsm8k" / "model_solutions.jsonl"


def load_solutions():
    rollouts = []
    for i, line in enumerate(DATA.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        answer = row["ground_truth"].rsplit("A:", 1)[1].strip()
        problem = Problem(f"p{i}", row["question"], answer)
        models = [value for value in row.values() if isinstance(value, dict)]
        rollouts += [Rollout(problem, k, model["solution"]) for k, model in enumerate(models)]
    return rollouts


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data beside the repository")
def test_edits_of_real_solutions_keep_every_character(make_critic):
    rollouts = load_solutions()
    assert len(rollouts) == 2400
    answers = {rollout.problem.problem: rollout.problem.answer for rollout in rollouts}

    def script(number, body):
        """Keeps about half of the steps and writes the answer after them."""
        prompt = body["messages"][-1]["content"]
        answer = answers[prompt[len("<problem>\n") : prompt.index("\n</problem>")]]
        keep = len(parse_trace(attempt_of(body)).steps) // 2
        return Answer(edit("D", keep, [f"So the answer is {answer}."], answer))

    with FaultServer(script) as server:
        critic = make_critic(server.url, critic_concurrency=16)
        records = critic.critique(rollouts)
    assert critic.ledger.num_verified == len(records) == 2400
    check_sums(critic.ledger)
    assert [(r.problem_id, r.sample) for r in records] == [(r.problem.id, r.sample) for r in rollouts]
    num_kept = 0
    for rollout, record in zip(rollouts, records, strict=True):
        solver, answer = [step.text for step in rollout.trace.steps], rollout.problem.answer
        kept = solver[: len(solver) // 2]
        steps = [(text, "copied") for text in kept] + [(f"So the answer is {answer}.", "rewritten")]
        assert [(step.text, step.origin) for step in record.critique.steps] == steps
        assert verbatim_counts(rollout, record.critique) == (len(kept), len(kept))
        assert all(text in rollout.text and f">{text}</step_" in record.critique.text for text in kept)
        num_kept += len(kept)
    assert num_kept > 2400
