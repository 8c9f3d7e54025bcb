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


def test_all_rows_that_are_wrong_are_named_at_once(tmp_path):
    with pytest.raises(DataError) as error:
        load(tmp_path / "s.jsonl", GOOD, {**GOOD, "problem_id": "x"}, {**GOOD, "sample": 1, "text": 3})
    first, second, third = str(error.value).splitlines()
    assert first == f"{tmp_path / 's.jsonl'}: 2 of 3 rows cannot be used."
    assert second.startswith("  line 2: unknown problem_id 'x'") and third.startswith("  line 3: 'text' is 3")


@pytest.mark.parametrize("text", ["text", "response", "completion", "output", "Generation"])
@pytest.mark.parametrize("name", ["problem_id", "id", "uid"])
def test_columns_of_other_names_and_samples_without_numbers(tmp_path, name, text):
    rows = [{name: "p1", text: "a"}, {name: "p2", text: "b"}, {name: "p1", text: "c"}]
    rollouts = load(tmp_path / "s.jsonl", *rows)
    assert [(r.problem.id, r.sample, r.text) for r in rollouts] == [("p1", 0, "a"), ("p2", 0, "b"), ("p1", 1, "c")]


def test_a_made_number_is_no_given_one(tmp_path):
    with pytest.raises(DataError, match="sample 0 of problem 'p1' was given before"):
        load(tmp_path / "s.jsonl", {"problem_id": "p1", "text": "a"}, GOOD)


def test_steps_of_a_run_are_numbered_on(tmp_path):
    rows = [{**GOOD, "step": step, "sample": sample} for step in (1, 2) for sample in (0, 1)]
    other = {**GOOD, "problem_id": "p2", "step": 2}
    rollouts = load(tmp_path / "s.jsonl", *rows, other, {**GOOD, "step": 5})
    assert [(r.problem.id, r.sample) for r in rollouts] == [*(("p1", n) for n in range(4)), ("p2", 0), ("p1", 4)]
    with pytest.raises(DataError, match="sample 1 of problem 'p1' was given before"):
        load(tmp_path / "s.jsonl", *rows, rows[3])


def test_samples_of_a_table(tmp_path):
    path = tmp_path / "s.tsv"
    path.write_text("problem_id\tsample\tresponse\tnum_tokens\tfinish_reason\np1\t3\t\t9\t\np2\t0\tb\t\tlength\n")
    assert load_samples(path, PROBLEMS) == [
        Rollout(PROBLEMS[0], 3, "", num_tokens=9),
        Rollout(PROBLEMS[1], 0, "b", finish_reason="length"),
    ]


def test_half_surrogate_pairs_are_replaced_and_the_field_is_named(tmp_path, caplog):
    assert load(tmp_path / "s.jsonl", {**GOOD, "text": "a \ud800"})[0].text == "a \ufffd"
    assert "U+FFFD in 'text' (1 rows)" in caplog.text
