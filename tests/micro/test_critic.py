"""The exact critic on traces made by hand, one for each case of the paper."""

import random

import pytest

from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.core.trace import parse_trace
from stepalign.micro.critic import exact_critique
from stepalign.micro.problems import World, make_problems, parse_problem
from stepalign.micro.rollouts import enumeration, solver_trace
from stepalign.micro.wording import Style

PROBLEM = Problem("p", "Start with 47. Add 38. Times 6. Minus 19.", "491")
STEPS = [
    "Now add 38: 7+8=15 carry 1; 4+3+1=8. So 85.",
    "Then times 6: 5*6=30 carry 3, 8*6+3=51. So 510.",
    "Next minus 19: 10-9=1 keep 1; 11-1-1=9 keep 1; 5-0-1=4. So 491.",
]


def trace(*steps: str, answer: str | None = "491", finish: str = "stop") -> Rollout:
    lines = [f"<step_{i}>{s}</step_{i}>" for i, s in enumerate(steps, 1)]
    if answer is not None:
        lines.append(f"<answer>{answer}</answer>")
    return Rollout(PROBLEM, 0, "\n".join(lines), finish_reason=finish)  # type: ignore[arg-type]


def origins(critique):
    return [step.origin for step in critique.steps]


def test_case_a_reproduces_the_trace_exactly():
    rollout = trace(*STEPS)
    critique = exact_critique(rollout)
    assert (critique.case, critique.first_wrong_step, critique.text) == ("A", None, rollout.text)
    assert origins(critique) == ["copied"] * 3


def test_case_b_inserts_the_step_that_was_skipped():
    critique = exact_critique(trace(STEPS[0], STEPS[2]))
    assert (critique.case, critique.first_wrong_step) == ("B", 2)
    assert origins(critique) == ["copied", "inserted", "copied"]
    assert critique.steps[1].text.endswith("510.")


def test_case_b_gives_a_condensed_step_its_working_in_its_own_words():
    critique = exact_critique(trace(STEPS[0], "Then times 6. So 510.", STEPS[2]))
    assert (critique.case, critique.first_wrong_step) == ("B", 2)
    assert origins(critique) == ["copied", "rewritten", "copied"]
    assert critique.steps[1].text.startswith("Then times 6: 5*6=30 carry 3") and critique.steps[1].text.endswith(
        "So 510."
    )


def test_case_c_brings_an_unfinished_trace_to_the_end():
    text = f"<step_1>{STEPS[0]}</step_1>\n<step_2>{STEPS[1][:20]}"
    critique = exact_critique(Rollout(PROBLEM, 0, text, finish_reason="length"))
    assert (critique.case, critique.first_wrong_step) == ("C", 2)
    assert origins(critique) == ["copied", "rewritten", "inserted"]
    assert critique.answer == "491"


def test_a_finished_wrong_step_is_wrong_though_the_trace_was_cut_off_after_it():
    wrong = "Now add 38: 7+8=15; 4+3=7. So 75."
    critique = exact_critique(Rollout(PROBLEM, 0, f"<step_1>{wrong}</step_1>\n", finish_reason="length"))
    assert (critique.case, critique.first_wrong_step) == ("D", 1)


def test_case_d_fixes_the_earliest_wrong_step_in_the_solvers_words_and_goes_on():
    wrong = "Then times 6: 5*6=30, 8*6=48. We get 480."
    critique = exact_critique(
        trace(STEPS[0], wrong, "Next minus 19: 10-9=1 keep 1; 8-1-1=6; 4-0=4. So 461.", answer="461")
    )
    assert (critique.case, critique.first_wrong_step) == ("D", 2)
    assert origins(critique) == ["copied", "rewritten", "rewritten"]
    assert critique.steps[1].text == "Then times 6: 5*6=30 carry 3, 8*6+3=51. We get 510."
    assert critique.text.endswith("<answer>491</answer>")


def test_a_right_result_from_wrong_columns_is_a_wrong_step():
    critique = exact_critique(trace("Now add 38: 7+8=16 carry 1; 4+3+1=8. So 85.", *STEPS[1:]))
    assert (critique.case, critique.first_wrong_step) == ("D", 1)


def test_right_steps_with_a_wrong_answer_keep_their_text():
    critique = exact_critique(trace(*STEPS, answer="419"))
    assert critique.case == "D" and origins(critique) == ["copied"] * 3 and critique.answer == "491"


@pytest.mark.parametrize("text", ["", "no tags at all", "<step_1>Try 12: no. Try 13: no."])
def test_a_wrong_approach_gets_a_full_solution_of_the_critics_own(text):
    critique = exact_critique(Rollout(PROBLEM, 0, text, finish_reason="length"))
    assert all(origin in ("rewritten", "inserted") for origin in origins(critique))
    assert exact_critique(Rollout(PROBLEM, 0, critique.text)).case == "A"


def test_every_critique_is_right_and_copies_exactly():
    world = World(min_steps=2, max_steps=4, min_carries=1, max_carries=6)
    cases = set()
    for i, problem in enumerate(make_problems(world, 400, 5)):
        rng = random.Random(i)
        text = solver_trace(parse_problem(problem.problem), rng, Style(rng), 0.3, 0.1, 0.1)
        if i % 20 == 0:
            text = enumeration(rng)
        rollout = Rollout(problem, 0, text)
        critique = exact_critique(rollout)
        cases.add(critique.case)
        assert exact_critique(Rollout(problem, 0, critique.text)).case == "A"
        own = {step.text for step in parse_trace(text).steps}
        assert all(step.text in own for step in critique.steps if step.origin == "copied")
        copied = [step.text for step in critique.steps if step.origin == "copied"]
        if critique.case == "D" and critique.first_wrong_step is not None and copied:
            assert copied[-1] in [step.text for step in parse_trace(text).steps[: critique.first_wrong_step - 1]]
    assert cases == {"A", "B", "C", "D"}
