"""The shipped micro critic: what it was trained on, what it says of itself, and its work in this process."""

import json
import random

import pytest
from scripts.micro_models.__main__ import MAX_CRITIQUE
from scripts.micro_models.critic_corpus import critic_examples, critic_prompt, make_chains, sample_attempts, target

from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.feedback.critics.build import build_critic
from stepalign.feedback.critics.prompts import render_messages
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.grading import Grader
from stepalign.micro.critic import exact_critique
from stepalign.micro.problems import CRITIC_DIR, SOLVER_DIR, World, make_problems, parse_problem
from stepalign.micro.rollouts import enumeration, solver_trace
from stepalign.micro.wording import Style


def rollouts(count: int, seed: int, world: World | None = None) -> list[Rollout]:
    """Attempts of every kind: right, wrong, with steps left out, enumerations, cut off."""
    made: list[Rollout] = []
    for i, problem in enumerate(make_problems(world or World(), count, seed)):
        rng = random.Random(i)
        forget = (0.0, 0.3, 0.6)[i % 3]
        text = solver_trace(parse_problem(problem.problem), rng, Style(rng), forget, condensed=0.1, skipped=0.1)
        if i % 20 == 7:
            made.append(Rollout(problem, 0, enumeration(rng), finish_reason="length"))
        elif i % 10 == 3:
            made.append(Rollout(problem, 0, text[: 2 * len(text) // 3], finish_reason="length"))
        else:
            made.append(Rollout(problem, 0, text))
    return made


def test_it_is_trained_on_the_prompt_that_it_is_asked_with():
    for rollout in [*rollouts(30, 1), Rollout(rollouts(1, 1)[0].problem, 0, "no tags\n\nat all")]:
        for truth, solution in (("solution", rollout.problem.solution), ("answer", None)):
            (message,) = render_messages("rewrite", rollout, truth=truth, directory="bare")
            assert message == {"role": "user", "content": critic_prompt(rollout.problem, solution, rollout.trace)}


def test_its_targets_are_right_and_keep_what_was_right():
    cases = set()
    for rollout in rollouts(300, 2, World(min_steps=2, max_steps=4, min_carries=1, max_carries=6)):
        critique, text = exact_critique(rollout), target(rollout)
        cases.add(critique.case)
        corrected = Rollout(rollout.problem, 0, text)
        assert exact_critique(corrected).case == "A"
        for exact, step in zip(critique.steps, corrected.trace.steps, strict=True):
            assert exact.origin != "copied" or step.text == exact.text
    assert cases == {"A", "B", "C", "D"}


def test_a_step_worked_again_takes_the_words_of_the_step_in_its_place():
    problem = Problem("p", "Start with 47. Add 38. Times 6. Minus 19.", "491")
    attempt = (
        "<step_1>Now put on 38: 7+8=15; 4+3=7. So 75.</step_1>\n"
        "<step_2>Then scale by 6: 5*6=30 hold 3, 7*6+3=45. Giving 450.</step_2>\n"
        "<step_3>First minus 19: 10-9=1 keep 1; 11-1-1=8 hold 1, 5-0-1=4. So"
    )
    assert target(Rollout(problem, 0, attempt, finish_reason="length")) == (
        "<step_1>Now put on 38: 7+8=15 hold 1; 4+3+1=8. So 85.</step_1>\n"
        "<step_2>Then scale by 6: 5*6=30 hold 3, 8*6+3=51. Giving 510.</step_2>\n"
        "<step_3>First minus 19: 10-9=1 keep 1; 11-1-1=9 hold 1, 5-0-1=4. Giving 491.</step_3>\n<answer>491</answer>"
    )


def test_the_corpus_is_the_same_for_the_same_seed(micro_solver):
    import torch

    def corpus():
        torch.manual_seed(0)
        chains = make_chains(random.Random(0), 4)
        attempts = sample_attempts(micro_solver.model, micro_solver.tokenizer, chains, batch_size=4)
        return list(critic_examples(random.Random(1), 20, attempts)), attempts

    (examples, attempts), again = corpus(), corpus()
    assert (examples, attempts) == again
    assert len(attempts) == 4 and len({example.prompt for example in examples}) == 20
    assert any("<solution>" not in example.prompt for example in examples)


def test_what_is_shipped_is_small_and_loads_as_any_model():
    from transformers import AutoModelForCausalLM, AutoTokenizer

    sizes = [path.stat().st_size for path in SOLVER_DIR.parent.rglob("*.safetensors")]
    assert len(sizes) == 3 and sum(sizes) <= 10e6
    model, tokenizer = AutoModelForCausalLM.from_pretrained(CRITIC_DIR), AutoTokenizer.from_pretrained(CRITIC_DIR)
    assert model.config.max_position_embeddings >= 2048
    assert model.generation_config.do_sample  # transformers serve ignores a temperature without it
    solver = AutoTokenizer.from_pretrained(SOLVER_DIR)
    assert (tokenizer.chat_template, tokenizer.get_vocab()) == (solver.chat_template, solver.get_vocab())


def test_it_says_how_it_wants_to_be_asked():
    own = json.loads((CRITIC_DIR / "config.json").read_text())["stepalign"]
    assert own == {"critic_prompts": "bare", "critique_protocol": "rewrite", "critic_max_tokens": MAX_CRITIQUE}
    micro = CriticSettings(critic="micro")
    assert micro.critic_model == str(CRITIC_DIR) and {name: getattr(micro, name) for name in own} == own


@pytest.fixture(scope="module")
def grade():
    with Grader() as grader:
        yield grader.grade


def test_it_corrects_attempts_in_this_process(grade, tmp_path):
    settings = CriticSettings(critic="micro", critic_cache=str(tmp_path / "cache.sqlite"), critic_num_reasks=0)
    given = rollouts(24, 3)
    records = build_critic(settings, grade).critique(given)
    verified = [(rollout, record.critique) for rollout, record in zip(given, records, strict=True) if record.critique]
    assert len(verified) >= 0.9 * len(given)
    for rollout, critique in verified:
        own = {step.text for step in rollout.trace.steps}
        assert all(step.text in own for step in critique.steps if step.origin == "copied")
    first_wrong = [exact_critique(rollout).first_wrong_step == c.first_wrong_step for rollout, c in verified]
    assert sum(first_wrong) >= 0.9 * len(verified)
