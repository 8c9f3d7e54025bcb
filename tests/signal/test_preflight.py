"""Preflight on the micro solver: what it measures, and that a start after an interruption goes on."""

from dataclasses import replace

import pytest

from stepalign.core.critique import Context
from stepalign.core.files import read_jsonl
from stepalign.core.problem import Problem
from stepalign.feedback.critics.verify import reference_critique
from stepalign.feedback.formats import FeedbackFormat
from stepalign.feedback.from_critiques import StepAlign
from stepalign.feedback.from_references import RefSol
from stepalign.grading import Grader
from stepalign.micro import World, exact_critique, make_problems
from stepalign.models.sampling import Sampling
from stepalign.signal.policy import Policy
from stepalign.signal.preflight import Preflight
from stepalign.signal.preflight_records import KeptCritic, Records, has_answer, price_per_rollout

PROBLEMS = make_problems(World(min_steps=2, max_steps=2, min_carries=2, max_carries=3), 3, seed=4)
SAMPLING = Sampling(num_samples=2, temperature=1.1, max_new_tokens=90, seed=0, batch_size=4)
SHORT = replace(SAMPLING, max_new_tokens=12)


class Counting:
    """The exact critic, counting what it is asked."""

    def __init__(self):
        self.asked = 0

    def __call__(self, rollouts):
        self.asked += len(rollouts)
        return [exact_critique(r) for r in rollouts]


class Sometimes(FeedbackFormat):
    """A short context, one far too long, none, and so on."""

    def contexts(self, rollouts):
        choices = (Context("take care"), Context("word " * 300), None)
        return [choices[i % 3] for i in range(len(rollouts))]


@pytest.fixture
def prepare(micro_solver):
    def make(directory, names=("refsol", "stepalign"), critic=None, with_critic=True, sampling=SAMPLING):
        source = critic or Counting()
        kept = KeptCritic(source, directory / "critiques.jsonl") if with_critic else None
        formats = {"refsol": RefSol(), "sometimes": Sometimes(), "stepalign": StepAlign(kept or source)}
        policy = Policy(*micro_solver, prompt_templates="bare", max_teacher_prompt_length=400)
        chosen = {name: formats[name] for name in names}
        return Preflight(Records(directory), PROBLEMS, policy, sampling, Grader(), chosen, kept)

    return make


def run(preflight):
    done = {}
    for stage in preflight.stages():
        done[stage.name] = (stage.num_done, stage.num_done + sum(stage.run()), stage.total)
    return done


@pytest.fixture(scope="module")
def whole(micro_solver, tmp_path_factory):
    directory, critic = tmp_path_factory.mktemp("whole"), Counting()
    kept = KeptCritic(critic, directory / "critiques.jsonl")
    policy = Policy(*micro_solver, prompt_templates="bare", max_teacher_prompt_length=400)
    formats = {"refsol": RefSol(), "stepalign": StepAlign(kept)}
    preflight = Preflight(Records(directory), PROBLEMS, policy, SAMPLING, Grader(), formats, kept)
    stages = run(preflight)
    return preflight, critic, stages


def test_every_stage_does_all_of_its_work_and_the_critic_is_asked_once(whole):
    _, critic, stages = whole
    assert list(stages) == [
        *("student", "critic", "contexts, refsol", "contexts, stepalign"),
        *("teacher, refsol", "teacher, stepalign", "scores"),
    ]
    assert all(numbers == (0, 6, 6) for numbers in stages.values())
    assert critic.asked == 6


def test_a_row_holds_what_was_measured_of_a_rollout(whole, micro_solver):
    preflight, _, _ = whole
    rows = preflight.rows()
    assert [(row["problem_id"], row["sample"]) for row in rows] == [(p.id, s) for p in PROBLEMS for s in (0, 1)]
    for row, rollout in zip(rows, preflight.rollouts(), strict=True):
        critique = exact_critique(rollout)
        assert row["case"] == critique.case
        if critique.case == "D":
            assert row["first_wrong_step"] == critique.first_wrong_step
        for name, context in (("refsol", rollout.problem.solution), ("stepalign", critique.text)):
            part = row["formats"][name]
            assert part["status"] == "ok" and part["has_answer"] is True
            assert part["num_context_tokens"] == len(micro_solver.tokenizer(context)["input_ids"])
            assert part["teacher_grade"] in ("correct", "wrong", "unparseable")
            aim, at_all = part["localization"]["aim"], part["localization"]["onset_share"]
            assert aim is None if row["first_wrong_step"] in (None, 1) else aim in (None, at_all)
    aligned, foreign = ([row["formats"][name] for row in rows] for name in ("stepalign", "refsol"))
    for part, other in zip(aligned, foreign, strict=True):  # what the world is built to show
        if part["localization"]["mean_correct"] is not None:
            assert part["localization"]["mean_correct"] > other["localization"]["mean_correct"]
        assert (part["alignment"]["overall"] or 1.0) > 0.9 > (other["alignment"]["overall"] or 0.0)


def test_the_scores_are_those_of_the_model_with_and_without_the_context(whole, micro_solver):
    import torch

    preflight, _, _ = whole
    rollout, row = preflight.rollouts()[3], preflight.rows()[3]
    model, policy = micro_solver.model, preflight.policy
    teacher = policy.teacher_prompt(rollout.problem, Context(rollout.problem.solution))
    ids = list(rollout.token_ids)

    def logp(prompt):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1]
        return logits.log_softmax(-1).gather(-1, torch.tensor(ids)[:, None])[:, 0]

    expected = (logp(teacher) - logp(policy.student_prompt(rollout.problem))).mean().item()
    assert row["formats"]["refsol"]["mean_advantage"] == pytest.approx(expected, abs=1e-4)


def test_a_second_start_has_nothing_left_to_do(whole, prepare):
    preflight, _, _ = whole
    critic = Counting()
    again = prepare(preflight.records.directory, critic=critic)
    assert all(numbers == (6, 6, 6) for numbers in run(again).values())
    assert critic.asked == 0 and again.rows() == preflight.rows()


def test_an_interrupted_one_goes_on_and_ends_with_the_same_rows(whole, prepare, tmp_path):
    done = []
    for stage in prepare(tmp_path).stages():
        for number in stage.run():
            done.append(number)
            if len(done) in (1, 5):  # after one batch of the student; after one of the teacher
                break
        else:
            continue
        break
    assert len(read_jsonl(tmp_path / "rollouts.jsonl")) == 4
    with (tmp_path / "rollouts.jsonl").open("a") as file:
        file.write('{"problem_id": "micro-0002", "sam')  # cut off by a kill
    first = prepare(tmp_path)
    for stage in first.stages():
        for _ in stage.run():
            if stage.name == "teacher, refsol":
                break
        if stage.name == "teacher, refsol":
            break
    assert len(read_jsonl(tmp_path / "teacher.jsonl")) == 4
    run(prepare(tmp_path))
    assert prepare(tmp_path).rows() == whole[0].rows()


def test_a_format_can_be_added_later(whole, prepare, tmp_path):
    critic = Counting()
    run(prepare(tmp_path, names=("refsol",), critic=critic))
    num_scores = len(read_jsonl(tmp_path / "scores.jsonl"))
    both = prepare(tmp_path, critic=critic)
    stages = run(both)
    assert stages["student"] == (6, 6, 6) and stages["teacher, stepalign"] == (0, 6, 6)
    assert critic.asked == 6 and len(read_jsonl(tmp_path / "scores.jsonl")) == 2 * num_scores
    rows = both.rows()
    for row, expected in zip(rows, whole[0].rows(), strict=True):
        for name in ("refsol", "stepalign"):
            got, wanted = row["formats"][name], expected["formats"][name]
            assert got["teacher_grade"] == wanted["teacher_grade"]
            assert got["mean_advantage"] == pytest.approx(wanted["mean_advantage"], abs=1e-4)


def test_contexts_that_are_missing_or_do_not_fit_are_counted(prepare, tmp_path):
    preflight = prepare(tmp_path, names=("sometimes",), sampling=SHORT)
    stages = run(preflight)
    assert stages["teacher, sometimes"] == (0, 2, 2)
    parts = [row["formats"]["sometimes"] for row in preflight.rows()]
    assert [part["status"] for part in parts] == ["ok", "too_long", "none"] * 2
    assert [part["teacher_grade"] is None for part in parts] == [False, True, True] * 2
    assert "localization" not in parts[1] and parts[1]["num_context_tokens"] > 300


def test_without_a_critic_no_step_is_called_wrong(prepare, tmp_path):
    preflight = prepare(tmp_path, names=("refsol",), with_critic=False, sampling=SHORT)
    assert "critic" not in run(preflight)
    for row in preflight.rows():
        part = row["formats"]["refsol"]
        assert row["case"] is None and part["alignment"] is None
        assert part["localization"]["mean_correct"] is None and part["localization"]["first_token"] is not None


def test_a_reference_solution_in_a_critiques_place_calls_no_step_wrong(prepare, tmp_path):
    preflight = prepare(tmp_path, critic=lambda rollouts: [reference_critique(r) for r in rollouts], sampling=SHORT)
    run(preflight)
    for row in preflight.rows():
        assert row["case"] is None and row["formats"]["stepalign"]["status"] == "ok"
        assert {part["localization"]["mean_correct"] for part in row["formats"].values()} == {None}


def test_giving_the_answer_away():
    with Grader() as grader:
        assert has_answer("so it is 42, we see", Problem("p", "?", "42"), grader)
        assert has_answer("<answer>1/2</answer>", Problem("p", "?", "0.5"), grader)
        assert not has_answer("so it is 420, or 142", Problem("p", "?", "42"), grader)


def test_the_price_is_per_rollout():
    ledger = {"num_samples": 4, "tokens_in": 100, "tokens_out": 20, "cost": 0.2, "wall_s": 8.0, "num_cached": 1}
    price = price_per_rollout(ledger)
    assert price == {"tokens_in": 25, "tokens_out": 5, "cost": 0.05, "seconds": 2.0, "cached": 0.25}
    assert price_per_rollout({}) is None
