import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from stepalign.core.errors import ConfigError
from stepalign.core.problem import Problem
from stepalign.core.rollout import Grade, Outcome
from stepalign.grading.own import MOST_FAILURES, OwnGrader

PROBLEM = Problem("p", "What is 5 + 7?", "12", meta={"level": 3})


class Number:
    """As numpy's and torch's."""

    def __float__(self):
        return 0.25


@pytest.mark.parametrize(
    ("value", "outcome", "score", "reward"),
    [
        ("correct", "correct", None, 1.0),
        ("wrong", "wrong", None, 0.0),
        ("unparseable", "unparseable", None, 0.0),
        (True, "correct", None, 1.0),
        (False, "wrong", None, 0.0),
        (1, "correct", 1.0, 1.0),
        (1.5, "correct", 1.5, 1.5),
        (0.99, "wrong", 0.99, 0.99),
        (-2, "wrong", -2.0, -2.0),
        (Number(), "wrong", 0.25, 0.25),
        (Grade(Outcome.CORRECT, "x"), "correct", None, 1.0),
    ],
)
def test_what_it_returns_is_a_grade(value, outcome, score, reward):
    grade = OwnGrader(lambda text, problem: value, "mine").grade("A: 12", PROBLEM)
    assert (grade.outcome, grade.score, grade.reward) == (outcome, score, reward)
    assert grade.extracted == ("x" if isinstance(value, Grade) else "12")


@pytest.mark.parametrize("value", [None, "yes", b"correct", "timeout", float("nan"), float("inf"), [1.0], object()])
def test_what_is_no_grade_is_an_error_and_no_zero(value, caplog):
    grader = OwnGrader(lambda text, problem: value, "mine.py:grade")
    grade = grader.grade("A: 12", PROBLEM)
    assert grade.outcome is Outcome.ERROR and grade.reward is None and not grade.is_correct
    assert grader.errors.total() == 1
    assert "mine.py:grade failed" in caplog.text and "returned" in caplog.text


def test_it_gets_the_response_and_the_problem():
    seen = []
    grader = OwnGrader(lambda *given: seen.append(given) or True, "mine")
    grader.grade("text", PROBLEM)
    grader.grade("text", "12")
    assert seen == [("text", PROBLEM), ("text", Problem("", "", "12"))]


def fails_on_x(text, problem):
    return {"a": True}[text]


def test_errors_are_shown_once_and_counted_at_the_end(caplog):
    with caplog.at_level(logging.WARNING), OwnGrader(fails_on_x, "mine") as grader:
        outcomes = [grade.outcome for grade in grader.grade_all((t, PROBLEM) for t in ("a", "x", "x", "y", "a"))]
    assert outcomes == ["correct", "error", "error", "error", "correct"]
    first, second, last = (record.getMessage() for record in caplog.records)
    assert "KeyError: 'x' (test_own.py, line " in first and "KeyError: 'y'" in second
    assert "failed on 3 of 5 responses: 2 x KeyError: 'x'" in last


def test_a_function_that_always_fails_ends_the_run():
    grader = OwnGrader(fails_on_x, "mine")
    for _ in range(MOST_FAILURES - 1):
        grader.grade("x", PROBLEM)
    with pytest.raises(ConfigError, match=r"failed on each of the first 10 responses, last with: KeyError: 'x'"):
        grader.grade("x", PROBLEM)


def test_a_function_that_works_at_times_goes_on():
    grader = OwnGrader(fails_on_x, "mine")
    grader.grade("a", PROBLEM)
    assert {grader.grade("x", PROBLEM).outcome for _ in range(3 * MOST_FAILURES)} == {Outcome.ERROR}


def test_one_thread_at_a_time_is_in_it():
    inside = []

    def grade(text, problem):
        inside.append(1)
        assert len(inside) == 1
        inside.pop()
        return True

    grader = OwnGrader(grade, "mine")
    with ThreadPoolExecutor(8) as pool:
        assert all(g.is_correct for g in pool.map(lambda i: grader.grade("a", PROBLEM), range(400)))


def test_answers_are_found_and_grouped_as_without_it():
    with OwnGrader(lambda text, problem: True, "mine", patterns=[r"Result: (.+)"]) as grader:
        found = [grader.grade(text, PROBLEM).extracted for text in ("Result: 1/2", "Result: 0.5", "A: 3")]
        assert found == ["1/2", "0.5", None]
        assert grader.group(found) == [0, 0, None]
        assert grader.compare("1/2", "0.5") is Outcome.CORRECT
