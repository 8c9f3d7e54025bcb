"""Rows of each shape that is recognized, and what is said where it is not."""

import json

import pytest

from stepalign.core.errors import ConfigError, DataError
from stepalign.core.problem import Problem
from stepalign.data.problems import load_problems, read_problems


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


SHAPES = {
    "ours": (
        {"id": "a", "problem": "2+2?", "answer": 4, "solution": "s", "meta": {"x": None}},
        Problem("a", "2+2?", "4", "s", {"x": None}),
    ),
    "ours, a long answer is taken as it stands": (
        {"id": "a", "problem": "2+2?", "answer": "four " * 60},
        Problem("a", "2+2?", ("four " * 60).strip()),
    ),
    "gsm8k": (
        {"question": "2*3?", "answer": "She has 2*3=<<2*3=6>>6.\nSo 1,006.\n#### 1,006"},
        Problem("problem-0001", "2*3?", "1006", "She has 2*3=6.\nSo 1,006."),
    ),
    "math": (
        {
            "problem": "p",
            "solution": "\\boxed{3}, then $\\boxed{\\frac{1}{2}}$.",
            "level": "Level 5",
            "type": "Algebra",
        },
        Problem(
            "problem-0001",
            "p",
            "\\frac{1}{2}",
            "\\boxed{3}, then $\\boxed{\\frac{1}{2}}$.",
            {"level": "Level 5", "type": "Algebra"},
        ),
    ),
    "math-500": (
        {
            "problem": "p",
            "solution": "so \\boxed{5}",
            "answer": "5",
            "subject": "Algebra",
            "level": 2,
            "unique_id": "t/1",
        },
        Problem("t/1", "p", "5", "so \\boxed{5}", {"level": 2, "subject": "Algebra"}),
    ),
    "aime": ({"ID": "II-4", "Problem": "p", "Solution": "", "Answer": 33}, Problem("II-4", "p", "33")),
    "openmathreasoning": (
        {
            "problem": "p",
            "generated_solution": "g",
            "expected_answer": "5",
            "problem_type": "x",
            "used_in_kaggle": True,
        },
        Problem("problem-0001", "p", "5", "g", {"problem_type": "x"}),
    ),
    "messages": (
        {"messages": [{"role": "system", "content": "s"}, user("2+2?"), assistant("2+2=4\n\\boxed{4}")]},
        Problem("problem-0001", "2+2?", "4", "2+2=4\n\\boxed{4}"),
    ),
    "messages in parts": (
        {"messages": [user([{"type": "text", "text": "2+2?"}]), assistant("Yes.\nA: 4")]},
        Problem("problem-0001", "2+2?", "4", "Yes.\nA: 4"),
    ),
    "conversations": (
        {"conversations": [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "Sum.\nThe answer is $4$."}]},
        Problem("problem-0001", "2+2?", "4", "Sum.\nThe answer is $4$."),
    ),
    "messages and an answer": (
        {"messages": [user("2+2?"), assistant("let me add")], "answer": "4"},
        Problem("problem-0001", "2+2?", "4", "let me add"),
    ),
    "prompt, completion": (
        {"prompt": "2+2?", "completion": "Sum\n#### 4"},
        Problem("problem-0001", "2+2?", "4", "Sum"),
    ),
    "prompt, completion as turns": (
        {"prompt": [user("2+2?")], "completion": [assistant("it is <answer>4</answer>")]},
        Problem("problem-0001", "2+2?", "4", "it is <answer>4</answer>"),
    ),
    "prompt, completion and an answer": (
        {"prompt": "2+2?", "completion": "so", "answer": "4"},
        Problem("problem-0001", "2+2?", "4", "so"),
    ),
    "verl": (
        {"prompt": [user("2+2?")], "reward_model": {"ground_truth": "4", "style": "rule"}, "extra_info": {"index": 3}},
        Problem("problem-0001", "2+2?", "4"),
    ),
    "question, answer": ({"question": "2+2?", "answer": " 4 "}, Problem("problem-0001", "2+2?", "4")),
    "input, target": ({"input": "2+2?", "target": "4"}, Problem("problem-0001", "2+2?", "4")),
    "input, output": ({"input": "2+2?", "output": "4"}, Problem("problem-0001", "2+2?", "4")),
    "instruction, response": (
        {"instruction": "2+2?", "input": "", "response": "4"},
        Problem("problem-0001", "2+2?", "4"),
    ),
    "query, response": (
        {"type": "GSM", "query": "q", "original_question": "o", "response": "x\n#### 5\nThe answer is: 5"},
        Problem("problem-0001", "q", "5", "x", {"type": "GSM"}),
    ),
    "names in any spelling": ({"Problem-Text": "q", "Final Answer": 4}, Problem("problem-0001", "q", "4")),
    "camel case": ({"questionText": "q", "finalAnswer": 4}, Problem("problem-0001", "q", "4")),
    "nested": (
        {"idx": 7, "item": {"question": "q", "answer": "4", "level": 2}},
        Problem("7", "q", "4", None, {"level": 2}),
    ),
    "an object of one answer": (
        {"question": "q", "answer": {"value": 4, "unit": "cm"}},
        Problem("problem-0001", "q", "4"),
    ),
    "a list of one answer": ({"question": "q", "answer": ["4"]}, Problem("problem-0001", "q", "4")),
    "a truth value": ({"question": "Is it?", "answer": True}, Problem("problem-0001", "Is it?", "true")),
    "a heading is no answer": (
        {"question": "q", "answer": "#### Step 1\nadd\nThe final answer is **5**."},
        Problem("problem-0001", "q", "5", "#### Step 1\nadd\nThe final answer is **5**."),
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_recognized(name):
    row, problem = SHAPES[name]
    assert load_problems([row]) == [problem]


def test_what_was_taken_for_what_is_said_and_nothing_of_our_own_form(caplog):
    load_problems([{"question": "q", "answer": "x\n#### 5"}])
    assert "'question' is the problem, the answer is found in 'answer'" in caplog.text and "ids are made" in caplog.text
    caplog.clear()
    load_problems([{"id": "1", "problem": "q", "answer": "5"}])
    assert caplog.text == ""


AMBIGUOUS = {
    "preference": (
        {"prompt": "q", "chosen": "a", "rejected": "b"},
        "no column for the answer; the columns are: prompt, c",
    ),
    "two problems": (
        {"instruction": "Add", "input": "2 3", "output": "5"},
        "'instruction' and 'input' could all be the",
    ),
    "two answers": ({"question": "q", "answer": "4", "target": "5"}, "'answer' and 'target' could all be the answer"),
    "choices": ({"question": "q", "choices": ["1", "2"], "answer": 0}, "only a part of the problem, beside 'choices'"),
    "a body": (
        {"Body": "She has 3.", "Question": "How many?", "Answer": 3},
        "only a part of the problem, beside 'Body'",
    ),
    "code": ({"task_id": "1", "prompt": "def f", "canonical_solution": "pass"}, "no column for the answer"),
    "nothing": ({"a": 1, "b": 2}, "no column for the problem; the columns are: a, b"),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_nothing_is_guessed(name):
    row, message = AMBIGUOUS[name]
    with pytest.raises(DataError) as error:
        load_problems([row, row])
    assert message in str(error.value) and "--columns problem=COLUMN,answer=COLUMN" in str(error.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "q", "answer": "Because it is so. " * 30}, "a text of 540 characters with no final answer"),
        ({"messages": [user("a"), assistant("b"), user("c"), assistant("\\boxed{4}")]}, "2 turns of the user"),
        ({"messages": [user("a"), {"role": "tool", "content": "\\boxed{4}"}]}, "a turn of 'tool'"),
        ({"question": "q", "answer": ["4", "5"]}, "name the item, such as answer.0"),
        ({"question": "q", "answer": {"a": 1, "b": 2}}, "name what is in it, such as answer.a"),
        ({"problem": "q", "answer": "n/a"}, "has no answer"),
        ({"problem": "q", "answer": float("nan")}, "'answer' is NaN"),
    ],
)
def test_rows_that_cannot_be_read(row, message):
    with pytest.raises(DataError, match="row 1: ") as error:
        load_problems([row])
    assert message in str(error.value)


@pytest.mark.parametrize(
    "columns",
    [
        ["problem=frage", "answer=Die Antwort"],
        ["problem=frage,answer=Die Antwort"],
        "problem=frage answer=Die Antwort",
        {"problem": "Frage", "answer": "die antwort"},
    ],
)
def test_columns_are_named(columns):
    rows = [{"frage": "q", "Die Antwort": 4, "explanation": "not asked for", "solution": "s"}]
    assert load_problems(rows, columns) == [Problem("problem-0001", "q", "4", "s")]


def test_named_columns_go_into_objects_and_lists_and_answers_are_found_in_texts():
    row = {"id": 1, "data": {"q": "2+2?"}, "gold": [{"text": "so\n#### 4"}], "solution": "s"}
    columns = "problem=data.q,answer=gold.0.text,id=,solution=,meta.n=id"
    assert load_problems([row], columns) == [Problem("problem-0001", "2+2?", "4", "so", {"n": 1})]
    with pytest.raises(DataError, match="no column 'nope'; the columns are: id, data, gold"):
        load_problems([row], "problem=data.q,answer=nope")
    with pytest.raises(ConfigError, match="expected part=column"):
        load_problems([row], "problem=")


def test_ids_of_another_name_must_tell_rows_apart_and_id_must_in_any_case():
    rows = [{"problem": "a", "answer": 1, "index": 0}, {"problem": "b", "answer": 2, "index": 0}]
    assert [p.id for p in load_problems(rows)] == ["problem-0001", "problem-0002"]
    assert [p.id for p in load_problems([rows[0], {**rows[1], "index": 5}])] == ["0", "5"]
    with pytest.raises(DataError, match=r"id '0' was used before .*or have ids made: --columns id="):
        load_problems([{**row, "id": 0} for row in rows])


@pytest.mark.parametrize(
    ("answers", "texts"),
    [
        ([3.0, 18.0], ["3", "18"]),
        ([3.0, 2.5], ["3.0", "2.5"]),
        (["3.0", "18.0"], ["3.0", "18.0"]),
        ([1e-7, 1e22], ["0.0000001", "10000000000000000000000"]),
        ([True, False], ["true", "false"]),
    ],
)
def test_answers_that_are_no_text(answers, texts):
    assert [p.answer for p in load_problems([{"question": "q", "answer": a} for a in answers])] == texts


def test_objects_of_python(caplog):
    import datasets
    import numpy

    rows = [{"problem": "a", "answer": numpy.int64(4), "meta": {"x": numpy.array([1.5])}}]
    assert load_problems(rows) == [Problem("problem-0001", "a", "4", None, {"x": [1.5]})]
    made = datasets.Dataset.from_list([{"question": "a", "answer": 4}])
    assert load_problems(made.with_format("numpy"))[0].answer == "4"
    both = datasets.DatasetDict({"train": made, "test": datasets.Dataset.from_list([{"question": "b", "answer": 5}])})
    assert load_problems(both, split="test") == load_problems(both, likely="test") == [Problem("test-0001", "b", "5")]
    with pytest.raises(DataError, match=r"has the splits train, test\. Say which"):
        load_problems(both)
    problems = [Problem("a", "a", "\\boxed{4}")]
    assert load_problems(problems) == problems and load_problems(iter(problems))[0].answer == "4"
    with pytest.raises(DataError, match="a int; expected a path"):
        load_problems(3)


def test_all_rows_that_are_wrong_are_named_at_once(tmp_path):
    path = tmp_path / "p.jsonl"
    good = {"id": "a", "problem": "p", "answer": "1"}
    bad = [{"id": str(i), "problem": "p"} for i in range(11)]
    path.write_text("\n".join([json.dumps(good), "{broken", *map(json.dumps, bad)]))
    with pytest.raises(DataError) as error:
        load_problems(path)
    lines = str(error.value).splitlines()
    assert lines[0] == f"{path}: 12 of 13 rows cannot be used."
    assert lines[1].startswith("  line 2: not JSON") and lines[2].startswith("  line 3: 'answer' is missing")
    assert lines[11] == "  and 2 more" and "stepalign data" in lines[12] and len(lines) == 13
    reading = read_problems(path)
    assert [p.id for p in reading.problems] == ["a"] and len(reading.errors) == 12


def test_half_surrogate_pairs_are_replaced_and_the_field_is_named(tmp_path, caplog):
    path = tmp_path / "p.jsonl"
    path.write_text('{"id": "1", "problem": "a \\ud83d", "answer": "1", "solution": "\\ud83d\\ude00"}\n')
    assert load_problems(path) == [Problem("1", "a \ufffd", "1", "\U0001f600")]
    assert "U+FFFD in 'problem' (1 rows)" in caplog.text


def test_a_missing_answer_is_that_of_the_solution_where_it_marks_one():
    rows = [
        {"problem": "a", "solution": "so \\boxed{4}", "answer": None},
        {"problem": "b", "solution": "s", "answer": "5"},
    ]
    assert [p.answer for p in load_problems(rows)] == ["4", "5"]
