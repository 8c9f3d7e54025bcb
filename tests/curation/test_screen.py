import json

import pytest

from stepalign.core.errors import ConfigError, DataError
from stepalign.core.problem import Problem
from stepalign.curation.screen import Candidate, Screen, answer_trouble, evaluation_index
from stepalign.curation.store import Store
from stepalign.data.sources import Entry
from stepalign.grading import Grader
from stepalign.settings.curate import CurateSettings

LONG = "A farmer has {} hens and each of them lays two eggs a day, how many eggs in a week?"


@pytest.fixture(scope="module")
def grader():
    with Grader(timeout_s=2) as grader:
        yield grader


@pytest.fixture
def screen(tmp_path, grader):
    """`screen(texts)` gives the stage that drops each of them, "" for a candidate."""

    def make(problems, evaluation=(), **settings):
        path = tmp_path / "evaluation.jsonl"
        path.write_text(
            "".join(json.dumps({"id": str(i), "problem": p, "answer": 1}) + "\n" for i, p in enumerate(evaluation))
        )
        arguments = CurateSettings(source="s", output_dir="o", **settings)
        index = evaluation_index([str(path)] if evaluation else [], arguments.ngram_words)
        stages = Screen(arguments, Store(tmp_path / "s.sqlite"), grader, index)
        rows = [p if isinstance(p, Problem) else Problem("i", p, "1") for p in problems]
        results = [stages(Entry(i, row)) for i, row in enumerate(rows)]
        return ["" if isinstance(result, Candidate) else result.stage for result in results]

    return make


def test_the_same_problem_again(screen):
    assert screen(["What is 1?", "What is 2?", "what is  1 ?"]) == ["", "", "first_seen"]


def test_a_problem_whose_first_answer_was_unusable_gets_another_chance(screen):
    rows = [Problem("a", "What is 1?", ""), Problem("b", "What is 1?", "1"), Problem("c", "What is 1?", "1")]
    assert screen(rows) == ["usable_answer", "", "first_seen"]


def test_near_duplicates(screen):
    rows = [
        LONG.format(3),
        LONG.format(3) + " Explain.",
        LONG.format(4),
        "Another one altogether, of eight or more words.",
    ]
    assert screen(rows) == ["", "no_near_duplicate", "no_near_duplicate", ""]


def test_a_larger_share_may_be_allowed(screen):
    rows = [LONG.format(3), LONG.format(4)]
    assert screen(rows, problem_overlap=0.9) == ["", ""]


def test_what_was_dropped_as_a_duplicate_drops_no_other(screen):
    a = "one two three four five six"
    b = "three four five six seven eight"
    c = "five six seven eight nine ten"
    assert screen([a, b, c], ngram_words=2, problem_overlap=0.5) == ["", "no_near_duplicate", ""]


def test_evaluation_problems(screen):
    rows = [LONG.format(3), "Each of them lays two eggs a day, how many in a month?", "What is 5?", "What is 6?"]
    expected = ["not_in_evaluation_sets", "not_in_evaluation_sets", "not_in_evaluation_sets", ""]
    assert screen(rows, [LONG.format(9), "What is 5?"]) == expected


def test_a_share_of_evaluation_runs_may_be_allowed(screen):
    rows = ["Each of them lays two eggs a day, how many in a month of thirty days and nights?"]
    assert screen(rows, [LONG.format(9)], evaluation_overlap=0.5) == [""]


def test_wanted_values(screen):
    rows = [Problem(str(i), f"What is {i}?", "1", meta={"level": i}) for i in range(3)]
    assert screen(rows, where=["level=2"]) == ["wanted", "wanted", ""]
    assert screen([Problem("x", "What?", "1")], where=["level=2"]) == ["wanted"]


def test_rows_that_cannot_be_read(screen, tmp_path, grader, caplog):
    stages = Screen(CurateSettings(source="s"), Store(tmp_path / "t"), grader, evaluation_index([], 8))
    results = [stages(Entry(i, None, f"row {i}: bad")) for i in range(8)]
    assert {result.stage for result in results} == {"well_formed"} and results[7].detail == {"trouble": "row 7: bad"}
    assert "row 4: bad" in caplog.text and "row 5: bad" not in caplog.text


@pytest.mark.parametrize(
    "answer",
    [
        "18",
        "1,000",
        "-3/4",
        r"\frac{\pi}{2}",
        r"\left( 3, \frac{\pi}{2} \right)",
        "x^2 + 1",
        "B",
        "Monday",
        "$12.50",
        "50%",
    ],
)
def test_usable_answers(answer, grader):
    assert answer_trouble(answer, grader) == ""


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        ("", "no_answer"),
        (" ", "no_answer"),
        ("the proof is complete by induction", "unparseable"),
        ("1" * 1001, "not_extractable"),
        (r"\dfrac{5^{(5^{(5^{(5^5)})}-4)}-5}{16}", "timeout"),
    ],
)
def test_unusable_answers(answer, trouble, grader):
    assert answer_trouble(answer, grader) == trouble


def test_evaluation_sets_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        evaluation_index([str(tmp_path / "none.jsonl")], 8)
    (tmp_path / "bad.jsonl").write_text('{"problem": null, "answer": 1}\n')
    with pytest.raises(ConfigError, match="has no problem that can be read"):
        evaluation_index([str(tmp_path / "bad.jsonl")], 8)
