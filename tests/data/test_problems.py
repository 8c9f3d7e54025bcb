import json
from pathlib import Path

import pytest

from stepalign.core.errors import DataError
from stepalign.core.problem import Problem
from stepalign.data.problems import load_problems

GOOD = {"id": "p1", "problem": "What is 2 + 2?", "answer": "4"}


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def test_rows_become_problems_in_order(tmp_path):
    path = write(tmp_path / "p.jsonl", GOOD, "", {**GOOD, "id": "p2", "solution": "2 + 2 = 4", "meta": {"level": 1}})
    assert load_problems(path) == [
        Problem("p1", "What is 2 + 2?", "4"),
        Problem("p2", "What is 2 + 2?", "4", "2 + 2 = 4", {"level": 1}),
    ]


def test_numbers_become_strings(tmp_path):
    path = write(tmp_path / "p.jsonl", {"id": 7, "problem": "?", "answer": 18.5})
    assert load_problems(path) == [Problem("7", "?", "18.5")]


def test_windows_line_ends_and_byte_order_mark(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n")
    assert load_problems(str(path))[0].id == "p1"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "p2",', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"id": ' + "1" * 5000 + "}", "not JSON"),
        ("[1, 2]", "got [1, 2]; expected a JSON object"),
        ({"id": "p2", "problem": "?"}, "'answer' is missing; got 'id', 'problem'"),
        ("{}", "'problem' is missing; got no fields"),
        ({**GOOD, "id": "p2", "answer": " "}, "'answer' is empty"),
        ({**GOOD, "id": "p2", "problem": 3}, "'problem' is 3; expected a string"),
        ({**GOOD, "id": True}, "'id' is true; expected a string or a number"),
        ('{"id": "p2", "problem": "?", "answer": NaN}', "'answer' is NaN"),
        ({**GOOD, "id": "p2", "answer": ["4"]}, """'answer' is ["4"]; expected a string or a number"""),
        ({**GOOD, "id": "p2", "solution": 4}, "'solution' is 4; expected a string"),
        ({**GOOD, "id": "p2", "meta": [1]}, "'meta' is not an object"),
        (GOOD, "id 'p1' was used before"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    path = write(tmp_path / "p.jsonl", GOOD, line)
    with pytest.raises(DataError) as error:
        load_problems(path)
    assert str(error.value).startswith(f"{path}, line 2: ")
    assert message in str(error.value)


def test_bad_utf8_names_the_line(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_bytes(json.dumps(GOOD).encode() + b'\n{"id": "\xff"}\n')
    with pytest.raises(DataError, match="line 2: byte 9 is not UTF-8"):
        load_problems(path)


def test_unusable_files(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_problems(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="got a directory"):
        load_problems(tmp_path)
    with pytest.raises(DataError, match="got an empty file"):
        load_problems(write(tmp_path / "p.jsonl", "", "  "))
