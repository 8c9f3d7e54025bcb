import json

import pytest

from stepalign.core.errors import DataError
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.data.samples import load_samples

PROBLEMS = [Problem("p1", "What is 2 + 2?", "4"), Problem("p2", "What is 3 + 3?", "6")]
GOOD = {"problem_id": "p1", "sample": 0, "text": "<answer>4</answer>"}


def load(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_samples(path, PROBLEMS)


def test_rows_become_rollouts_in_order(tmp_path):
    rollouts = load(
        tmp_path / "s.jsonl",
        {**GOOD, "problem_id": "p2", "num_tokens": 9, "finish_reason": "length", "note": "kept out"},
        {**GOOD, "num_tokens": None, "finish_reason": None},
    )
    assert rollouts == [
        Rollout(PROBLEMS[1], 0, "<answer>4</answer>", finish_reason="length", num_tokens=9),
        Rollout(PROBLEMS[0], 0, "<answer>4</answer>"),
    ]
    assert rollouts[0].to_json()["num_tokens"] == 9
    assert "num_tokens" not in rollouts[1].to_json()


def test_the_number_of_tokens_is_that_of_the_ids_unless_given():
    assert Rollout(PROBLEMS[0], 0, "4", token_ids=(5, 6)).num_tokens == 2
    assert Rollout(PROBLEMS[0], 0, "4", num_tokens=3).num_tokens == 3


def test_a_text_may_be_empty(tmp_path):
    assert load(tmp_path / "s.jsonl", {**GOOD, "text": ""})[0].text == ""


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**GOOD, "problem_id": "p1x"}, "unknown problem_id 'p1x'; perhaps you meant 'p1'?"),
        ({**GOOD, "problem_id": "other"}, "unknown problem_id 'other'; expected one of: p1, p2"),
        (GOOD, "sample 0 of problem 'p1' was given before"),
        ({**GOOD, "sample": "1"}, """'sample' is "1"; expected a whole number"""),
        ({**GOOD, "sample": True}, "'sample' is true"),
        ({**GOOD, "sample": -1}, "'sample' is -1"),
        ({**GOOD, "sample": 1, "text": None}, "'text' is null"),
        ({**GOOD, "sample": 1, "num_tokens": 1.5}, "'num_tokens' is 1.5"),
        ({**GOOD, "sample": 1, "finish_reason": "stopped"}, "perhaps you meant 'stop'?"),
        ({"problem_id": "p1", "sample": 1}, "'text' is missing"),
    ],
)
def test_a_bad_line_is_named(tmp_path, row, message):
    path = tmp_path / "s.jsonl"
    with pytest.raises(DataError) as error:
        load(path, GOOD, row)
    assert str(error.value).startswith(f"{path}, line 2: ")
    assert message in str(error.value)


def test_of_many_ids_only_the_first_are_listed(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps({**GOOD, "problem_id": "#"}) + "\n")
    many = [Problem(f"p{i:03}", "?", "1") for i in range(600)]
    with pytest.raises(DataError, match="p019 and 580 more"):
        load_samples(path, many)
