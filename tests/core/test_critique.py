from stepalign.core.critique import Critique, CritiqueStep
from stepalign.core.problem import Problem
from stepalign.core.rollout import Grade, Outcome, Rollout


def test_the_text_of_a_critique_is_rendered_from_its_steps():
    steps = (CritiqueStep(" a ", "copied"), CritiqueStep("b", "rewritten"))
    critique = Critique("D", 2, steps, "4")
    assert critique.text == "<step_1> a </step_1>\n<step_2>b</step_2>\n<answer>4</answer>"


def test_a_rollout_becomes_a_samples_row():
    rollout = Rollout(Problem("p", "q", "4"), 3, "<answer>4</answer>", (5, 6), "stop")
    graded = rollout.graded(Grade(Outcome.CORRECT, "4"))
    assert rollout.to_json() == {
        "problem_id": "p",
        "sample": 3,
        "text": "<answer>4</answer>",
        "num_tokens": 2,
        "finish_reason": "stop",
    }
    assert graded.to_json()["grade"] == "correct" and graded.to_json()["extracted"] == "4"
    assert graded.grade is not None and graded.grade.is_correct
