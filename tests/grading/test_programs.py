import random
import sys

import pytest
from tests.grading.mutants import mutants, passes_by_itself

from stepalign.core.problem import Example, Problem, Tests
from stepalign.core.rollout import Detail, Grade, Outcome, Rollout
from stepalign.data.problems import load_problems
from stepalign.grading import Grader

PROMPT = 'def double(x):\n    """Twice x."""\n'
CHECK = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 6\n"
DOUBLE = Problem("double", PROMPT, solution="    return 2 * x\n", tests=Tests(check=CHECK, entry_point="double"))
ADD = Problem("add", "Write add(a, b).", tests=Tests(asserts=("assert add(1, 2) == 3", "assert add(2, 2) == 4")))
SQUARE = Problem("square", "Print n * n.", tests=Tests(examples=(Example("2\n", "4\n"), Example("3\n", "9\n"))))


@pytest.fixture(scope="module")
def grader():
    with Grader(timeout_s=2.0, memory_limit_mb=512, num_workers=2) as grader:
        yield grader


@pytest.fixture
def human_eval(shared_data):
    return load_problems(shared_data / "human_eval" / "HumanEval.jsonl.gz")


def fenced(code):
    return f"```python\n{code}\n```"


def test_right_programs_of_each_kind(grader):
    for text, problem in [
        (fenced("def double(x):\n    return x + x"), DOUBLE),
        ("    return x * 2", DOUBLE),
        (fenced("def add(a, b):\n    return a + b"), ADD),
        (fenced("print(int(input()) ** 2)"), SQUARE),
    ]:
        grade = grader.grade(text, problem)
        assert grade.outcome is Outcome.CORRECT
        assert grade.detail is None
        assert grade.extracted in text


def test_what_is_wrong_is_told(grader):
    assert grader.grade(fenced("def double(x):\n    return x + 2"), DOUBLE) == Grade(
        Outcome.WRONG,
        "def double(x):\n    return x + 2\n",
        detail=Detail("WrongAnswer", "expected 6, got 5", None, "assert candidate(3) == 6"),
    )
    assert grader.grade(fenced("print(4)"), SQUARE).detail == Detail(
        "WrongAnswer", "line 1: expected '9', got '4'", None, "stdin: 3\n"
    )


@pytest.mark.parametrize(
    "text, outcome, kind, line",
    [
        ("```python\ndef double(x):\n    y = x\n    return y.z\n```", "error", "AttributeError", 3),
        ("    y = x\n    return y.z\n", "error", "AttributeError", 2),
        ("```python\n\n\ndef double(x)\n    return 1\n```", "error", "SyntaxError", 3),
        ("```python\ndef double(x):\n    while x: pass\n```", "timeout", "Timeout", None),
        ("```python\ndef double(x):\n    y = 1\n    return [0] * (1 << 40)\n```", "memory", "MemoryError", 3),
        ("```python\ndef triple(x):\n    return 3 * x\n```", "error", "NameError", None),
        ("```python\nimport os\nos._exit(0)\n```", "error", "Exit", None),
    ],
)
def test_lines_count_from_one_in_the_solvers_code(grader, text, outcome, kind, line):
    grade = grader.grade(text, DOUBLE)
    assert (grade.outcome.value, grade.detail.type, grade.detail.line) == (outcome, kind, line)


def test_a_response_without_code_is_unparseable(grader):
    assert grader.grade("I cannot.", DOUBLE) == Grade(Outcome.UNPARSEABLE)


def test_a_program_that_fails_has_a_reward_of_its_own(grader):
    assert grader.grade(fenced("def double(x): return 1 / 0"), DOUBLE).reward == 0.0
    assert grader.grade(fenced("def double(x): return 2 * x"), DOUBLE).reward == 1.0


def test_the_prompts_imports_and_helpers_are_there(grader):
    prompt = 'import math\nHALF = 0.5\ndef twice(x):\n    return 2 * x\ndef double(x):\n    """Twice x."""\n'
    check = "def check(candidate):\n    assert candidate(2) == twice(2)"
    problem = Problem("p", prompt, tests=Tests(check=check, entry_point="double"))
    for body in ("return twice(math.floor(x))", "return x / HALF"):
        assert grader.grade(
            fenced(f"from __future__ import annotations\ndef double(x):\n    {body}"), problem
        ).is_correct
    cheat = "def twice(x):\n    return 0\ndef double(x):\n    return 0"
    assert grader.grade(fenced(cheat), problem).outcome is Outcome.WRONG
    other_way_round = "def twice(x):\n    return 0\ndef double(x):\n    return x + x"
    assert grader.grade(fenced(other_way_round), problem).outcome is Outcome.WRONG  # as where all run together


def test_examples_are_compared_by_lines_and_words(grader):
    problem = Problem("p", "Print.", tests=Tests(examples=(Example("", "1 2.0\nYes\n"),)))
    for printed in ("1 2.0\nYes\n", "1  2.0 \nYes\n\n\n", "1.0 2\nYes"):
        assert grader.grade(fenced(f"print({printed!r}, end='')"), problem).is_correct
    for printed in ("1 2.0 Yes", "1 2.1\nYes", "1 2.0\nyes", "1 2.0\n\nYes", "1 2.0", ""):
        assert grader.grade(fenced(f"print({printed!r}, end='')"), problem).outcome is Outcome.WRONG


def test_programs_are_graded_many_at_once_and_in_order(grader):
    texts = [fenced(f"def add(a, b):\n    return a + b + {i % 3}") for i in range(30)]
    outcomes = [grade.outcome for grade in grader.grade_all((text, ADD) for text in texts)]
    assert outcomes == [Outcome.WRONG if i % 3 else Outcome.CORRECT for i in range(30)]


def test_programs_are_grouped_by_their_text(grader):
    a, b = "def f(x):\n    return x\n", "def f(x):\n    return  x\n"
    assert grader.group([a, b, a, None, "1/2", "0.5"]) == [0, 1, 0, None, 2, 2]


def test_a_problem_without_tests_is_graded_by_its_answer(grader):
    assert grader.grade("A: 4", Problem("p", "2 + 2?", "4")).is_correct


def test_a_grader_may_be_used_again_after_it_was_closed():
    grader = Grader(timeout_s=2.0)
    for _ in range(2):
        assert grader.grade(fenced("def add(a, b): return a + b"), ADD).is_correct
        grader.close()


def test_a_row_has_the_detail():
    grade = Grade(Outcome.ERROR, "x", detail=Detail("NameError", "no x", 1, "assert x"))
    assert Rollout(ADD, 0, "x", grade=grade).grade_json() == {
        "grade": "error",
        "extracted": "x",
        "detail": {"type": "NameError", "message": "no x", "line": 1, "test": "assert x"},
    }


def test_every_canonical_solution_of_human_eval_is_right(grader, human_eval):
    styles = {"completion": "{1}", "fenced": "Sure:\n```python\n{0}{1}```\nDone.", "cut off": "```\n{0}{1}"}
    wrong = [
        (problem.id, style)
        for style, text in styles.items()
        for problem, grade in zip(
            human_eval,
            grader.grade_all((text.format(p.problem, p.solution), p) for p in human_eval),
            strict=True,
        )
        if not grade.is_correct
    ]
    assert len(human_eval) == 164
    assert not wrong


@pytest.mark.skipif(sys.platform != "linux", reason="the official tests need a memory limit")
def test_changed_programs_get_the_verdict_of_the_official_tests(grader, human_eval):
    draw = random.Random(0)
    changed = [(program, problem) for problem in human_eval for program in mutants(problem.problem, problem.solution)]
    changed = draw.sample(changed, 120)
    ours = [grade.is_correct for grade in grader.grade_all((fenced(program), p) for program, p in changed)]
    theirs = [passes_by_itself(program, p.tests, timeout_s=2.0) for program, p in changed]
    assert ours == theirs
    assert 0 < sum(theirs) < len(theirs) / 2
