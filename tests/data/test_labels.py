"""Labelled rollouts: rows of our own form and of three datasets, and everything that can be wrong with one."""

from __future__ import annotations

import json

import pytest

from stepalign.core.errors import DataError
from stepalign.data.label import Label, joined
from stepalign.data.labels import load_labels

ROW = {
    "id": "p1",
    "problem": "2 + 2 + 1?",
    "answer": "5",
    "solution": "2 + 2 = 4\n4 + 1 = 5",
    "steps": ["2 + 2 = 4", "4 + 1 = 6", "#### 6"],
    "first_wrong_step": 2,
    "reason": "4 + 1 is 5.",
}


def test_a_row_of_our_own_form():
    (label,) = load_labels([ROW])
    assert label.rollout.text == "2 + 2 = 4\n4 + 1 = 6\n#### 6"
    assert label.steps == ROW["steps"]
    assert (label.first_wrong_step, label.reason) == (2, "4 + 1 is 5.")
    assert (label.rollout.problem.id, label.rollout.problem.solution) == ("p1", ROW["solution"])
    assert label.to_json() == ROW


def test_what_may_be_missing_or_null():
    row = {"id": 7, "problem": "p", "answer": None, "steps": ["x"], "first_wrong_step": None}
    (label,) = load_labels([row])
    assert (label.rollout.problem.id, label.rollout.problem.answer, label.first_wrong_step) == ("7", "", None)


def test_a_file_and_the_first_rows_of_it(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text("".join(json.dumps({**ROW, "id": f"p{i}"}) + "\n" for i in range(3)))
    assert [label.rollout.problem.id for label in load_labels(path)] == ["p0", "p1", "p2"]
    assert [label.rollout.problem.id for label in load_labels(path, 2)] == ["p0", "p1"]


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        (["a = 1", "b = 2"], "a = 1\nb = 2"),
        (["a\n= 1", "b = 2"], "a\n= 1\n\nb = 2"),
        (["a\n\n= 1", "b = 2"], "<step_1>a\n\n= 1</step_1>\n<step_2>b = 2</step_2>"),
        (["a\n= 1"], "<step_1>a\n= 1</step_1>"),
    ],
)
def test_the_text_keeps_the_steps_apart(steps, text):
    assert joined(steps) == text
    (label,) = load_labels([{**ROW, "steps": steps, "first_wrong_step": 1}])
    assert label.steps == steps


def test_a_response_is_taken_as_it_was_written():
    response = "<step_1>2 + 2 = 4</step_1>\n<step_2>4 + 1 = 6</step_2>\n<answer>6</answer>"
    row = {**ROW, "steps": ["2 + 2 = 4", "4 + 1 = 6"], "response": response, "finish_reason": "length"}
    (label,) = load_labels([row])
    assert (label.rollout.text, label.rollout.trace.answer, label.rollout.finish_reason) == (response, "6", "length")
    assert load_labels([label.to_json()]) == [label]


def test_a_correction_comes_through():
    (label,) = load_labels([{**ROW, "correction": ["4 + 1 = 5"]}])
    assert label.correction == ("4 + 1 = 5",)
    assert load_labels([label.to_json()]) == [label]


def without(key):
    return {name: value for name, value in ROW.items() if name != key}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (without("first_wrong_step"), "lacks 'first_wrong_step'"),
        (without("steps"), "lacks 'steps'"),
        (without("answer"), "lacks 'answer'"),
        (without("id"), "lacks 'id'"),
        ({**ROW, "first_wrong_step": 4}, "is 4; expected 1 to 3"),
        ({**ROW, "first_wrong_step": 0}, "is 0; expected 1 to 3"),
        ({**ROW, "first_wrong_step": -1}, "is -1; expected 1 to 3"),
        ({**ROW, "first_wrong_step": "two"}, "expected the number of a step"),
        ({**ROW, "first_wrong_step": True}, "expected the number of a step"),
        ({**ROW, "steps": []}, "'steps' is empty"),
        ({**ROW, "steps": "2 + 2 = 4"}, "expected a list of texts"),
        ({**ROW, "steps": ["a", " ", "b"]}, "a step that is empty or no text"),
        ({**ROW, "steps": ["a", 2, "b"]}, "a step that is empty or no text"),
        ({**ROW, "steps": ["<step_1>a", "<step_1>b</step_1>", "c"]}, "cannot be told apart"),
        ({**ROW, "response": "something else"}, "'response' has 1 steps"),
        ({**ROW, "problem": " "}, "'problem' is empty"),
    ],
)
def test_a_wrong_row_is_named_by_its_number(row, words):
    with pytest.raises(DataError, match="row 2: ") as error:
        load_labels([{**ROW, "id": "before"}, row])
    assert words in str(error.value)


def test_nothing_and_duplicates():
    with pytest.raises(DataError, match="empty file"):
        load_labels([])
    with pytest.raises(DataError, match=r"row 3: id 'p1' was used before \(the list, row 1\)"):
        load_labels([ROW, {**ROW, "id": "p2"}, ROW])


def test_an_unknown_shape_says_what_is_expected(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text('{"question": "2 + 2?"}\n')
    with pytest.raises(DataError, match=r"line 1: a labelled rollout lacks 'id', 'problem'.*got 'question'"):
        load_labels(path)


def test_processbench_counts_from_0(caplog):
    row = {"id": "gsm8k-0", "generator": "m", "problem": "2 + 2?", "steps": ["2 + 2 = 5", "So \\boxed{5}"]}
    rows = [
        {**row, "label": 0, "final_answer_correct": False},
        {**row, "id": "b", "label": -1, "final_answer_correct": True},
    ]
    wrong, right = load_labels(rows)
    assert (wrong.first_wrong_step, wrong.rollout.problem.answer) == (1, "")
    assert (right.first_wrong_step, right.rollout.problem.answer) == (None, "5")
    assert "rows as in Qwen/ProcessBench" in caplog.text


MR_GSM8K = {
    "uuid": "u1",
    "question": "2 + 2 + 1?",
    "ground_truth_solution": "2 + 2 + 1 = 5",
    "ground_truth_answer": 5,
    "model_output_steps": ["2 + 2 = 4", "4 + 1 = 6"],
    "model_output_answer_correctness": "wrong",
    "model_output_solution_correctness": "wrong",
    "model_output_solution_first_error_step": 2,
    "model_output_solution_first_error_reason": "4 + 1 is 5.",
}


def test_mr_gsm8k_counts_from_1(caplog):
    right = {
        **MR_GSM8K,
        "uuid": "u2",
        "model_output_solution_correctness": "correct",
        "model_output_solution_first_error_step": "N/A",
        "model_output_solution_first_error_reason": "N/A",
    }
    first, second = load_labels([{**MR_GSM8K, "model_output_solution_first_error_step": "2"}, right])
    assert (first.first_wrong_step, first.reason, first.rollout.problem.answer) == (2, "4 + 1 is 5.", "5")
    assert (second.first_wrong_step, second.reason) == (None, "")
    assert "rows as in MR-GSM8K" in caplog.text


def test_mr_gsm8k_a_wrong_solution_without_a_step_is_an_error():
    with pytest.raises(DataError, match="the solution is wrong"):
        load_labels([{**MR_GSM8K, "model_output_solution_first_error_step": "N/A"}])


def test_big_bench_mistake_counts_from_0_and_gets_ids(caplog):
    row = {"input": "2 + 2 =", "steps": ["2 + 2 is 4.", "So the answer is 5"], "answer": "5", "target": "4"}
    wrong, right = load_labels([{**row, "mistake_index": 1}, {**row, "mistake_index": None}])
    assert (wrong.first_wrong_step, wrong.rollout.problem.answer) == (2, "4")
    assert right.first_wrong_step is None
    assert wrong.rollout.problem.id != right.rollout.problem.id
    assert "rows as in BIG-Bench Mistake" in caplog.text
    with pytest.raises(DataError, match="'mistake_index' is 2"):
        load_labels([{**row, "mistake_index": 2}])


@pytest.mark.parametrize(("name", "count"), [("mr_gsm8k", 240), ("big_bench_mistake", 400)])
def test_real_labels(shared_data, name, count):
    labels = load_labels(shared_data / "step_labels" / f"{name}.jsonl")
    assert len(labels) == count
    assert all(isinstance(label, Label) and label.rollout.trace.layout == "lines" for label in labels)


ASKED = {"asked": "2 + 2 + 1?", "reply": "2 + 2 = 4\n4 + 1 = 6", "gold": "5", "first_wrong_step": 2}
NAMES = ("prompt=asked,text=reply", "answer=gold")


class TestLogsWithLabels:
    """Rows of another trainer, or of columns that are named, with the first wrong step beside."""

    def test_columns_are_named(self):
        (label,) = load_labels([ASKED], columns=NAMES)
        assert (label.rollout.problem.problem, label.rollout.problem.answer) == ("2 + 2 + 1?", "5")
        assert label.steps == ["2 + 2 = 4", "4 + 1 = 6"] and label.first_wrong_step == 2
        with pytest.raises(DataError, match="lacks"):
            load_labels([ASKED])

    def test_a_format_that_is_said_is_believed(self):
        row = {"input": "2 + 2 + 1?", "output": "2 + 2 = 4\n4 + 1 = 6", "answer": "5", "first_wrong_step": None}
        (label,) = load_labels([row], format="verl")
        assert label.rollout.text == row["output"] and label.first_wrong_step is None
        with pytest.raises(DataError, match="'prompt'"):
            load_labels([row], format="trl")

    def test_a_column_that_is_not_there_is_named(self):
        with pytest.raises(DataError, match="'repli'"):
            load_labels([ASKED], columns=["prompt=asked,text=repli"])
