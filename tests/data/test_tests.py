import base64
import json
import pickle
import zlib

import pytest

from stepalign.core.errors import DataError
from stepalign.core.problem import Example, Tests
from stepalign.data.problems import load_problems
from stepalign.runs.rows import ProblemRow

CHECK = "def check(candidate):\n    assert candidate(1) == 1\n"
HUMAN_EVAL = {
    "task_id": "HumanEval/0",
    "prompt": "def f(x):\n    '''x.'''\n",
    "entry_point": "f",
    "canonical_solution": "    return x\n",
    "test": CHECK,
}
MBPP = {
    "text": "Write f.",
    "code": "def f(x): return x",
    "task_id": 2,
    "test_setup_code": "import math",
    "test_list": ["assert f(1) == 1", "assert f(2) == 2"],
    "challenge_test_list": [],
}
LIVE = {
    "question_title": "T",
    "question_content": "Print n.",
    "question_id": "q1",
    "starter_code": "",
    "public_test_cases": json.dumps([{"input": "1\n", "output": "1\n", "testtype": "stdin"}]),
    "private_test_cases": base64.b64encode(
        zlib.compress(pickle.dumps(json.dumps([{"input": "2\n", "output": "2\n", "testtype": "stdin"}])))
    ).decode(),
    "metadata": "{}",
}
METHOD = LIVE | {
    "starter_code": "class Solution:\n    def go(self, a, b):\n        ",
    "public_test_cases": json.dumps([{"input": '[1, null]\n"a"', "output": "true", "testtype": "functional"}]),
    "private_test_cases": None,
    "metadata": json.dumps({"func_name": "go"}),
}


@pytest.mark.parametrize(
    "row, id, problem, solution, tests",
    [
        (HUMAN_EVAL, "HumanEval/0", HUMAN_EVAL["prompt"], "    return x", Tests(check=CHECK, entry_point="f")),
        (MBPP, "2", "Write f.", MBPP["code"], Tests(asserts=tuple(MBPP["test_list"]), setup="import math")),
        (LIVE, "q1", "Print n.", None, Tests(examples=(Example("1\n", "1\n"), Example("2\n", "2\n")))),
        (
            METHOD,
            "q1",
            f"Print n.\n\n{METHOD['starter_code']}",
            None,
            Tests(asserts=("assert Solution().go([1, None], 'a') == True",)),
        ),
        (
            {"id": "a", "problem": "p", "tests": [{"stdin": "1", "stdout": "2"}]},
            "a",
            "p",
            None,
            Tests(examples=(Example("1", "2"),)),
        ),
        (
            {"id": "a", "problem": "p", "tests": ["assert f() == 1"], "language": "python"},
            "a",
            "p",
            None,
            Tests(asserts=("assert f() == 1",)),
        ),
        (
            {"id": "a", "problem": "p", "test": "assert f() == 1", "entry_point": "f", "solution": "def f(): return 1"},
            "a",
            "p",
            "def f(): return 1",
            Tests(asserts=("assert f() == 1",), entry_point="f"),
        ),
    ],
    ids=["HumanEval", "MBPP", "LiveCodeBench", "a method", "own, examples", "own, assertions", "own, text"],
)
def test_shapes_are_recognized(row, id, problem, solution, tests):
    (found,) = load_problems([row])
    assert (found.id, found.problem, found.solution, found.answer) == (id, problem, solution, "")
    assert found.tests == tests


@pytest.mark.parametrize(
    "row", [HUMAN_EVAL, MBPP, LIVE, METHOD], ids=["HumanEval", "MBPP", "LiveCodeBench", "a method"]
)
def test_problems_are_read_as_they_were_written(row, caplog):
    (problem,) = load_problems([row])
    caplog.clear()
    assert load_problems([problem.to_json()]) == [problem]
    assert not caplog.records  # our own form needs no words
    assert ProblemRow.read("row 1", problem.to_json()).made() == problem


def test_a_file_may_hold_all_kinds():
    rows = [
        {"id": "a", "problem": "p", "test": CHECK, "entry_point": "f"},
        {"id": "b", "problem": "p", "tests": ["assert f() == 1"]},
        {"id": "c", "problem": "2 + 2?", "answer": "4"},
    ]
    kinds = [(problem.answer, problem.tests is not None) for problem in load_problems(rows)]
    assert kinds == [("", True), ("", True), ("4", False)]


def test_columns_may_be_named():
    row = {"frage": "Write f.", "pruefung": CHECK, "funktion": "f"}
    (problem,) = load_problems([row], columns="problem=frage,tests=pruefung,entry_point=funktion")
    assert problem.tests == Tests(check=CHECK, entry_point="f")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"test": "def check(candidate:\n    assert candidate"}, "a test is no Python"),
        ({"entry_point": None}, "expected 'entry_point'"),
        ({"language": "cpp"}, "'language' is \"cpp\"; expected python"),
    ],
)
def test_what_cannot_be_run_is_said(change, message):
    with pytest.raises(DataError, match=message):
        load_problems([HUMAN_EVAL | change])


@pytest.mark.parametrize(
    "tests, message",
    [
        ([{"stdin": "1", "stdout": "2"}, "assert f() == 1"], "both assertions and inputs"),
        ([{"stdin": "1", "stdout": 2}], "a test in 'tests' is"),
    ],
)
def test_lists_of_tests_that_cannot_be_run(tests, message):
    with pytest.raises(DataError, match=message):
        load_problems([{"id": "a", "problem": "p", "tests": tests}])


def test_packed_tests_call_nothing():
    class Calls:
        def __reduce__(self):
            return print, ("called",)

    packed = base64.b64encode(zlib.compress(pickle.dumps(Calls()))).decode()
    with pytest.raises(DataError, match="both assertions"):
        load_problems([LIVE | {"private_test_cases": packed}])


def test_a_column_called_test_that_holds_none_changes_nothing():
    (problem,) = load_problems([{"problem": "2 + 2?", "answer": 4, "test": "yes"}])
    assert (problem.answer, problem.tests) == ("4", None)
