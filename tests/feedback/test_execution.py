"""Contexts made of how a program ran; the programs really are run."""

import pytest

from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.data.problems import load_problems
from stepalign.feedback.formats import build_context
from stepalign.grading import Grader

ROW = {"id": "p", "problem": "Write first(values), the first of them.", "entry_point": "first",
       "test": "def check(candidate):\n    assert candidate([7, 8]) == 7"}  # fmt: skip


@pytest.fixture(scope="module")
def problem():
    (problem,) = load_problems([ROW])
    return problem


@pytest.fixture(scope="module")
def run(problem):
    with Grader() as grader:

        def ran(code, prose="Here it is.\n\n"):
            text = f"{prose}```python\n{code}```\n"
            return Rollout(problem, 0, text, grade=grader.grade(text, problem))

        yield ran


def text(rollout, format):
    context = build_context(rollout, format)
    return None if context is None else context.text


def test_an_error_is_told_with_its_line_and_the_code_up_to_it_comes_back(run):
    rollout = run("def first(values):\n    count = len(values)\n    return value[0]\n    # never\n")
    told = text(rollout, "execution")
    assert told.startswith("The program fails in line 3: NameError: name 'value' is not defined")
    assert "The line is: return value[0]" in told
    assert text(rollout, "execution_aligned").splitlines() == [
        "```python",
        "def first(values):",
        "    count = len(values)",
        "    return value[0]  # <- line 3, NameError: " + rollout.grade.detail.message,
        "```",
    ]


def test_a_syntax_error_has_a_line_too(run):
    rollout = run("def first(values):\n    if len(values) = 0:\n        return None\n    return values[0]\n")
    assert text(rollout, "execution").startswith("The program fails in line 2: SyntaxError")
    aligned = text(rollout, "execution_aligned").splitlines()
    assert aligned[1:2] == ["def first(values):"] and aligned[2].startswith("    if len(values) = 0:  # <- line 2, Syn")
    assert len(aligned) == 4


def test_a_wrong_result_has_a_test_and_no_line(run):
    rollout = run("def first(values):\n    return values[-1]\n")
    assert rollout.grade.outcome.value == "wrong"
    assert "The test is: " in text(rollout, "execution") and "candidate([7, 8]) == 7" in text(rollout, "execution")
    assert text(rollout, "execution_aligned") is None


def test_a_right_program_is_told_so_or_comes_back_whole(run):
    rollout = run("def first(values):\n    return values[0]\n")
    assert text(rollout, "execution") == "The program passes all tests."
    assert text(rollout, "execution_aligned") == "```python\ndef first(values):\n    return values[0]\n```"


def test_what_is_no_program_has_no_context(run, problem):
    assert text(Rollout(problem, 0, "It is 3."), "execution") is None  # never graded
    for answer in ("2", "3"):  # right or wrong, it has no tests
        prose = Rollout(Problem("q", "1 + 1?", "2"), 0, f"<answer>{answer}</answer>")
        with Grader() as grader:
            graded = prose.graded(grader.grade(prose.text, prose.problem))
        assert text(graded, "execution") is None and text(graded, "execution_aligned") is None
