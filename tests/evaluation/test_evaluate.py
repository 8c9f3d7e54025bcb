import pytest

from stepalign.core.errors import ConfigError
from stepalign.core.problem import Problem
from stepalign.core.rollout import Grade, Outcome, Rollout
from stepalign.evaluation.evaluate import evaluate_rollouts, grade_rollouts, sample_problems
from stepalign.grading import Grader
from stepalign.micro import World, make_problems
from stepalign.models import Sampling

P, Q = Problem("p", "?", "1"), Problem("q", "?", "2")


def rollout(problem, sample, answer, outcome, finish="stop", num_tokens=10):
    return Rollout(problem, sample, str(answer), (), finish, Grade(outcome, answer), num_tokens)


C, W, U, T = Outcome.CORRECT, Outcome.WRONG, Outcome.UNPARSEABLE, Outcome.TIMEOUT
ROLLOUTS = [
    rollout(P, 0, "1", C),
    rollout(P, 1, "1.0", C),
    rollout(P, 2, "5", W),
    rollout(P, 3, "7", W, num_tokens=30),
    rollout(Q, 0, None, U, finish="length"),
    rollout(Q, 1, "9", W),
    rollout(Q, 2, "9", W),
    rollout(Q, 3, "2", T),
]


def test_metrics_by_hand():
    with Grader() as grader:
        evaluation = evaluate_rollouts([P, Q], ROLLOUTS, grader)
    metrics = evaluation.metrics
    assert (metrics.num_problems, metrics.num_samples) == (2, 4)
    assert evaluation.values == {"pass@4": [1.0, 0.0], "maj@4": [1.0, 0.0], "avg@4": [0.5, 0.0]}
    assert (metrics["pass@4"], metrics["maj@4"], metrics["avg@4"]) == (0.5, 0.5, 0.25)
    assert metrics["mean_length"] == pytest.approx(12.5)
    assert metrics["unparseable_rate"] == metrics["timeout_rate"] == metrics["truncated_rate"] == 1 / 8
    low, high = metrics.interval("avg@4")
    assert 0.0 <= low <= 0.25 <= high <= 0.5


def test_every_pass_at_k_and_the_number_of_answers_by_hand():
    with Grader() as grader:
        metrics = evaluate_rollouts([P, Q], ROLLOUTS, grader).metrics
    # two of P's four samples are right, none of Q's: of 6 pairs one has none right, of 4 triples none
    assert metrics.pass_at == pytest.approx({1: 0.25, 2: 5 / 12, 3: 0.5, 4: 0.5})
    assert list(metrics["pass@k"]) == ["1", "2", "3", "4"]
    assert metrics["num_distinct_answers"] == 2.5  # 1 (also as 1.0), 5 and 7; 9 and 2, and no answer is none


def test_k_as_asked_and_too_large():
    with Grader() as grader:
        metrics = evaluate_rollouts([P, Q], ROLLOUTS, grader, [1, 2]).metrics
        assert metrics["pass@1"] == pytest.approx(0.25)
        assert metrics["pass@2"] == pytest.approx((1 - 1 / 6) / 2)  # of 6 pairs of P's samples, one has none right
        with pytest.raises(ConfigError, match="k"):
            evaluate_rollouts([P, Q], ROLLOUTS, grader, [5])


def test_problems_with_different_numbers_of_samples_are_an_error():
    with Grader() as grader, pytest.raises(ConfigError, match="expected the same for all"):
        evaluate_rollouts([P, Q], ROLLOUTS[:-1], grader)


def test_the_solver_is_sampled_and_graded(micro_solver):
    problems = make_problems(World(), 4, 0)
    sampling = Sampling(num_samples=3, temperature=1.0, max_new_tokens=200, batch_size=6)
    args = (micro_solver.model, micro_solver.tokenizer, problems, sampling, "bare")
    batches = list(sample_problems(*args))
    rollouts = [r for batch in batches for r in batch]
    assert len(rollouts) == 12
    assert all(
        r.finish_reason == ("stop" if r.token_ids[-1] == micro_solver.tokenizer.eos_token_id else "length")
        for r in rollouts
    )
    done = {(r.problem.id, r.sample) for r in batches[0]}
    rest = [r for batch in sample_problems(*args, done=done) for r in batch]
    assert rest == [r for batch in batches[1:] for r in batch]
    with Grader() as grader:
        graded = grade_rollouts(rollouts, grader)
    assert all(r.grade is not None for r in graded)


def test_scores_and_errors_of_an_own_grader_are_measured():
    scored = [
        Rollout(P, 0, "1", grade=Grade(Outcome.CORRECT, "1", 1.0), num_tokens=1),
        Rollout(P, 1, "5", grade=Grade(Outcome.WRONG, "5", 0.5), num_tokens=1),
        Rollout(P, 2, "7", grade=Grade(Outcome.ERROR), num_tokens=1),
    ]
    with Grader() as grader:
        metrics = evaluate_rollouts([P], scored, grader).metrics
        without = evaluate_rollouts([P, Q], ROLLOUTS, grader).metrics
    assert (metrics.error_rate, metrics.mean_score) == (pytest.approx(1 / 3), 0.75)
    assert metrics.ungraded_rate == pytest.approx(1 / 3)
    assert metrics.unanswered.endswith("own grader failed 33.3 %")
    assert not {"error_rate", "mean_score"} & without.to_json().keys()


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("So maybe \\boxed{41}, but wait", "unparseable"),  # cut off inside: nothing is answered yet
        ("Hm, \\boxed{7}?</think> It is \\boxed{41}.", "correct"),
    ],
)
def test_a_response_that_begins_inside_thinking_has_its_answer_behind_it(text, outcome):
    rollout = Rollout(Problem("p", "40 + 1?", "41"), 0, text)
    with Grader() as grader:
        (graded,) = grade_rollouts([rollout], grader, thinking_open=True)
    assert graded.grade.outcome == outcome and graded.text == text


def test_a_template_that_opens_thinking_itself_is_told(micro_solver):
    from copy import deepcopy

    from stepalign.models.prompts import opens_thinking

    tokenizer = deepcopy(micro_solver.tokenizer)
    assert not opens_thinking(tokenizer)
    tokenizer.chat_template = "{{ messages[0].content }}{% if not off %}<think>\n{% else %}<think>\n</think>{% endif %}"
    assert opens_thinking(tokenizer)
    assert not opens_thinking(tokenizer, {"off": True})
