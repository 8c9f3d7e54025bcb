"""Every case file in examples/cases parses and says what it promises; the micro ones are right."""

from pathlib import Path

import pytest

from stepalign.core.prompts import render_prompt
from stepalign.core.trace import parse_trace
from stepalign.feedback.alignment import alignment
from stepalign.micro.arithmetic import columns
from stepalign.micro.problems import parse_problem
from stepalign.micro.wording import OTHER_AUTHOR, parse_step
from stepalign.signal.case import make_case, read_case_file

DIRECTORY = Path(__file__).parents[2] / "examples" / "cases"
PATHS = sorted(DIRECTORY.glob("*.yaml"))
MICRO = [path for path in PATHS if path.stem.startswith("micro-") and not path.stem.startswith("micro-code-")]


def load(name):
    path = DIRECTORY / f"{name}.yaml"
    return make_case(read_case_file(path), str(path))


def measured(case, name):
    return alignment(parse_trace(case.response), case.contexts[name], case.first_wrong_step or None)


def judge(text, chain):
    """For each step of a trace whether it is right, given the problem."""
    right = []
    for step, value, (op, operand), after in zip(
        parse_trace(text).steps, chain.before, chain.operations, chain.values, strict=False
    ):
        worked = parse_step(step.text)
        right.append(
            worked is not None
            and (worked.op, worked.operand, worked.value) == (op, operand, after)
            and list(worked.work) == columns(value, op, operand)
        )
    return right


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_it_parses(path):
    case = load(path.stem)
    assert case.contexts and all(text.strip() for text in case.contexts.values())
    assert case.first_wrong_step is not None and 0 <= case.first_wrong_step <= len(parse_trace(case.response).steps)
    for role in ("student", "teacher"):
        assert case.problem in render_prompt(case.prompt_templates or "bare", role, problem=case.as_rollout().problem)


def test_there_are_the_articles_examples_and_the_micro_ones():
    assert {path.stem for path in PATHS} >= {"fizzbuzz-syntax-error", "integral-answer-tags"}
    kinds = {"all-correct", "one-wrong-step", "wrong-approach", "same-message", "three-ways-to-quote"}
    assert {path.stem for path in MICRO} >= {f"micro-{kind}" for kind in kinds}


def test_the_marked_steps_are_the_wrong_ones():
    fizzbuzz, integral = load("fizzbuzz-syntax-error"), load("integral-answer-tags")
    assert parse_trace(fizzbuzz.response).steps[fizzbuzz.first_wrong_step - 1].text == "if i % 3 = 0 and i % 5 == 0:"
    code = fizzbuzz.response.removeprefix("```python\n").removesuffix("```")
    with pytest.raises(SyntaxError) as error:
        compile(code, "response", "exec")
    assert error.value.lineno == 4 and "line 4" in fizzbuzz.contexts["names_the_line"]
    compile(code.replace("% 3 = 0", "% 3 == 0"), "corrected", "exec")
    assert "boxed" in parse_trace(integral.response).steps[integral.first_wrong_step - 1].text


def test_the_code_in_the_context_works():
    text = load("fizzbuzz-syntax-error").contexts["whole_solution"]
    space = {}
    exec(text.split("```python\n")[1].split("```")[0], space)
    assert space["fizzbuzz"](15)[-5:] == ["11", "Fizz", "13", "14", "FizzBuzz"]


@pytest.mark.parametrize("path", MICRO, ids=lambda path: path.stem)
def test_micro_cases_mark_the_first_wrong_step(path):
    case = load(path.stem)
    assert case.model == "micro"
    right = judge(case.response, parse_problem(case.problem))
    if case.first_wrong_step == 0:
        assert all(right) and len(right) == len(parse_problem(case.problem).operations)
    else:
        assert right.index(False) + 1 == case.first_wrong_step


@pytest.mark.parametrize("path", MICRO, ids=lambda path: path.stem)
def test_micro_contexts_end_in_the_right_answer(path):
    case = load(path.stem)
    chain = parse_problem(case.problem)
    assert case.answer == str(chain.values[-1])
    for text in case.contexts.values():
        assert text.endswith(f"<answer>{case.answer}</answer>")


@pytest.mark.parametrize("name", ["all-correct", "one-wrong-step", "wrong-approach", "error-not-corrected"])
def test_both_contexts_are_right_and_only_one_is_aligned(name):
    case = load(f"micro-{name}")
    chain = parse_problem(case.problem)
    for text in case.contexts.values():
        assert judge(text, chain) == [True] * len(chain.operations)
    if name != "wrong-approach":  # nothing to reproduce there
        assert measured(case, "stepalign").overall == 1 and measured(case, "refsol").overall < 0.2
    words = {word for slot in OTHER_AUTHOR.values() for word in slot if word.strip().isalpha()}
    assert words & set(case.contexts["refsol"].replace(".", " ").split())


def test_the_same_message_in_two_wordings():
    case = load("micro-same-message")
    first_lines = {text.splitlines()[0] for text in case.contexts.values()}
    assert len(first_lines) == 1
    assert measured(case, "aligned").overall == 1 and measured(case, "misaligned").overall < 0.2


def test_three_ways_to_quote():
    case = load("micro-three-ways-to-quote")
    quotes = {name: measured(case, name) for name in case.contexts}
    assert [name for name, found in quotes.items() if found.quotes_wrong_step] == ["quote_whole"]
    assert quotes["up_to_error"].overall == quotes["quote_whole"].overall == 1 and quotes["no_quote"].overall == 0
