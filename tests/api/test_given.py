import pytest
from datasets import Dataset

from stepalign.api.given import check_for_processes, rollouts_of, settings
from stepalign.core.errors import ConfigError, DataError
from stepalign.core.own import load_own
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.data.problems import load_problems
from stepalign.feedback.formats import FeedbackFormat, feedback_class

PROBLEMS = [
    Problem("p", "What is 2 + 2?", "4", "2 and 2 are 4."),
    Problem("q", "What is 3 + 3?", "6", "3 and 3 are 6."),
]
ROWS = [problem.to_json() for problem in PROBLEMS]


@pytest.mark.parametrize(
    "given", [PROBLEMS, ROWS, tuple(PROBLEMS), Dataset.from_list(ROWS)], ids=lambda x: type(x).__name__
)
def test_problems_that_are_no_file_are_kept_in_the_directory(tmp_path, given):
    named = settings({"train_problems": given, "seed": 3, "output_dir": tmp_path}, tmp_path)
    assert named == {"train_problems": f"{tmp_path}/problems/train.jsonl", "seed": 3, "output_dir": str(tmp_path)}
    assert load_problems(named["train_problems"]) == PROBLEMS


def test_a_directory_holds_one_set_of_problems(tmp_path):
    settings({"train_problems": PROBLEMS}, tmp_path)
    settings({"train_problems": ROWS}, tmp_path)
    with pytest.raises(ConfigError, match="holds a run on other problems"):
        settings({"train_problems": PROBLEMS[:1]}, tmp_path)


def test_paths_stay_paths_and_keep_their_columns(tmp_path):
    given = {"train_problems": tmp_path / "a.csv", "columns": ["problem=q"], "test_problems": "hub/name"}
    assert settings(given, None) == {**given, "train_problems": str(tmp_path / "a.csv")}


def test_columns_are_those_of_what_was_given(tmp_path):
    rows = [{"frage": "2 + 2?", "antwort": 4}]
    named = settings({"problems": rows, "columns": ["problem=frage", "answer=antwort"]}, tmp_path)
    assert "columns" not in named
    assert load_problems(named["problems"])[0].answer == "4"


def test_problems_that_are_none_are_told(tmp_path):
    with pytest.raises(DataError, match="no column for the problem"):
        settings({"train_problems": [{"x": 1}]}, tmp_path)
    with pytest.raises(ConfigError, match="kept in output_dir; got none"):
        settings({"train_problems": PROBLEMS}, None)


def test_functions_and_formats_get_names():
    class Shout(FeedbackFormat):
        pass

    def grade(text, problem):
        return True

    named = settings({"grader": grade, "critic": "exact", "condition": Shout, "conditions": ["grpo", Shout]}, None)
    assert load_own(named["grader"], "grader") is grade
    assert (named["critic"], named["condition"], named["conditions"]) == ("exact", "shout", ["grpo", "shout"])
    assert feedback_class("shout") is Shout


def test_what_other_processes_cannot_see_is_told_before_they_start():
    named = settings({"grader": lambda text, problem: True}, None)
    with pytest.raises(ConfigError, match=r"compare trains in processes of its own.*file\.py:"):
        check_for_processes(named)
    cell = type("Cell", (FeedbackFormat,), {"__module__": "__main__"})
    with pytest.raises(ConfigError, match=r"condition cell.*plugins="):
        check_for_processes(settings({"conditions": ["refsol", cell]}, None))
    check_for_processes({"grader": "mine.py:grade", "conditions": ["grpo", "refsol"], "critic": None})


def test_rollouts_are_taken_as_they_are_or_read_with_their_problems():
    rollouts = [Rollout(PROBLEMS[0], 0, "A: 4", (1, 2))]
    assert rollouts_of(rollouts) == rollouts
    rows = [{"problem_id": "q", "sample": 0, "text": "A: 6"}]
    (read,) = rollouts_of(rows, ROWS)
    assert (read.problem, read.text) == (PROBLEMS[1], "A: 6")
    with pytest.raises(DataError, match="need their problems; got none"):
        rollouts_of(rows)
