"""Files of each kind, under any name, and those that are none."""

import csv
import gzip
import io
import json
from decimal import Decimal

import pyarrow
import pyarrow.parquet
import pytest

from stepalign.core.errors import DataError
from stepalign.data.problems import load_problems
from stepalign.data.sources.kinds import Kind, recognize_kind

ROWS = [{"question": "a, b", "answer": "1"}, {"question": 'c; "d"\ne', "answer": "2"}]
TEXTS = [("a, b", "1"), ('c; "d"\ne', "2")]


def jsonl(rows=ROWS):
    return "".join(json.dumps(row) + "\n" for row in rows)


def table(delimiter=",", names=("question", "answer"), rows=TEXTS):
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows([names, *rows])
    return file.getvalue()


def parquet(values=None):
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(values) if values else pyarrow.Table.from_pylist(ROWS), file)
    return file.getvalue()


def arrow(new):
    file, batch = io.BytesIO(), pyarrow.Table.from_pylist(ROWS)
    with new(file, batch.schema) as writer:
        writer.write_table(batch)
    return file.getvalue()


FILES = {
    "jsonl": ("p.jsonl", jsonl()),
    "JSONL named json": ("p.json", jsonl()),
    "JSONL with blank lines and CRLF": ("p.jsonl", "\r\n" + jsonl().replace("\n", "\r\n\r\n")),
    "a list named jsonl": ("p.jsonl", json.dumps(ROWS)),
    "a list over lines": ("p.json", json.dumps(ROWS, indent=2)),
    "an object with a list": ("p.json", json.dumps({"version": 1, "tags": ["x"], "data": ROWS})),
    "an object with a list, over lines": ("p.json", json.dumps({"data": ROWS}, indent=2)),
    "objects over lines": ("p.json", "\n".join(json.dumps(row, indent=2) for row in ROWS)),
    "columns": ("p.json", json.dumps({key: [row[key] for row in ROWS] for key in ROWS[0]})),
    "columns of pandas": ("p.json", json.dumps({k: {str(i): r[k] for i, r in enumerate(ROWS)} for k in ROWS[0]})),
    "csv": ("p.csv", table()),
    "csv with ; and a mark": ("p.csv", b"\xef\xbb\xbf" + table(";").encode()),
    "csv with a note of its delimiter": ("p.csv", "sep=;\r\n" + table(";")),
    "csv with |": ("p.txt", table("|")),
    "tsv": ("p.tsv", table("\t")),
    "tsv named csv": ("p.csv", table("\t")),
    "csv of many lines": ("p.dat", table(rows=TEXTS + [("x", "3")] * 80)),
    "csv with blank and empty rows": ("p.csv", "\n" + table(rows=[TEXTS[0], ("", ""), TEXTS[1]]) + ",\n\n"),
    "csv with a column of row numbers": (
        "p.csv",
        table(names=("", "question", "answer"), rows=[(0, *TEXTS[0]), (1, *TEXTS[1])]),
    ),
    "utf-16": ("p.csv", table().encode("utf-16")),
    "utf-16 JSONL": ("p.jsonl", jsonl().encode("utf-16")),
    "packed": ("p.jsonl.gz", gzip.compress(jsonl().encode())),
    "packed, under another name": ("p.csv", gzip.compress(table().encode())),
    "parquet under another name": ("p.dat", parquet()),
    "packed parquet": ("p.parquet.gz", gzip.compress(parquet())),
    "arrow": ("p.arrow", arrow(pyarrow.ipc.new_stream)),
    "arrow file": ("p.feather", arrow(pyarrow.ipc.new_file)),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_by_what_is_in_it(tmp_path, name):
    file, content = FILES[name]
    (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    problems = load_problems(tmp_path / file)
    assert [(p.problem, p.answer) for p in problems][:2] == TEXTS
    assert problems[0].id == "p-0001"


UNREADABLE = {
    "nothing": ("p.jsonl", b"", "got an empty file"),
    "blank lines": ("p.csv", b"\n \n", "got an empty file"),
    "a header": ("p.csv", b"problem,answer\n", "no rows"),
    "bytes": ("p.jsonl", bytes(range(256)) * 9, r"byte 1 is 0\); expected JSONL, JSON, CSV"),
    "utf-16 without a mark": ("p.jsonl", jsonl().encode("utf-16-le"), "must begin with its byte order mark"),
    "latin-1": ("p.csv", "problem,answer\nokay,1\nähm,2\n".encode("latin-1"), r"line 3: no CSV in UTF-8 \(byte 1\)"),
    "latin-1 JSON": ("p.json", '[{"problem": "ä"}]'.encode("latin-1"), "byte 15 is not UTF-8"),
    "a quote that stays open": ("p.csv", b'problem,answer\n"a,1\nb,2\n', r"line 2: no CSV \(unexpected end of data\)"),
    "a quote within quotes": ("p.csv", b'problem,answer\n"a "b" c",1\n', "line 2: no CSV"),
    "two columns of a name": ("p.csv", b"problem,answer,answer\na,1,2\n", "two columns are named 'answer'"),
    "a cut off archive": ("p.jsonl.gz", gzip.compress(jsonl().encode() * 9)[:40], "does not unpack"),
    "cut off parquet": ("p.parquet", parquet()[:-20], "cannot be read as parquet"),
    "a sheet": ("p.xlsx", b"PK\x03\x04 and more", "a spreadsheet; unpack it, or save the sheet as CSV"),
    "a pointer": ("p.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:a\n", "git lfs pull"),
    "prose": ("p.md", b"Once upon a time.\n", "unknown kind of file '.md'"),
    "text named jsonl": ("p.jsonl", b"Once upon a time.\n", "line 1: not JSON"),
    "a list of lists": ("p.json", b"[[1, 2]]", "expected a JSON object"),
    "two lists": ("p.json", b'{"a": [{"problem": 1}], "b": [{"problem": 1}]}', r"several lists \(a, b\)"),
    "a cut off list": ("p.json", b'[{"problem": "a", "answer": 1},', "not JSON"),
    "no header": ("p.csv", b"What is 2 + 2?,4\nWhat is 3 + 3?,6\n", "A table without a header: count its columns"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_read_is_refused(tmp_path, name):
    file, content, message = UNREADABLE[name]
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_problems(tmp_path / file)


def test_a_table_without_a_header(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("What is 2 + 2?,4\nWhat is 3 + 3?,6\n")
    problems = load_problems(path, "problem=1,answer=2")
    assert [(p.problem, p.answer) for p in problems] == [("What is 2 + 2?", "4"), ("What is 3 + 3?", "6")]
    path.write_text("1,2\na,b\n")
    with pytest.raises(DataError, match="the first line has numbers only"):
        load_problems(path, "problem=1,answer=2")


def test_a_table_with_tabs_may_have_quotes_as_they_are_and_one_with_commas_spaces_behind_them(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text('problem\tanswer\n"Hello" she said\t5\nfine\t6\n')
    assert load_problems(path)[0].problem == '"Hello" she said'
    path.write_text('problem, answer\n"a, b", "4"\n')
    assert (load_problems(path)[0].problem, load_problems(path)[0].answer) == ("a, b", "4")
    path.write_bytes(b"problem,answer\ra,1\rb,2\r")
    assert [p.answer for p in load_problems(path)] == ["1", "2"]


def test_a_column_of_conversations_as_json_or_as_python_writes_it(tmp_path):
    turns = [{"role": "user", "content": "q, r"}, {"role": "assistant", "content": "\\boxed{4}"}]
    for text in (json.dumps(turns), repr(turns)):
        (tmp_path / "p.csv").write_text(table(names=["messages"], rows=[[text]]))
        assert [(p.problem, p.answer) for p in load_problems(tmp_path / "p.csv")] == [("q, r", "4")]


def test_numbers_keep_their_digits(tmp_path):
    (tmp_path / "p.csv").write_text("question,answer\na,2.50\nb,3.0\n")
    assert [p.answer for p in load_problems(tmp_path / "p.csv")] == ["2.50", "3.0"]
    (tmp_path / "w.csv").write_text(",question,answer\n0,a,3.0\n1,b,18.0\n")  # pandas made fractions of whole numbers
    assert [p.answer for p in load_problems(tmp_path / "w.csv")] == ["3", "18"]
    columns = {
        "decimal": pyarrow.array([Decimal("2.50"), Decimal("3.00")]),
        "single": pyarrow.array([0.1, 2.5], pyarrow.float32()),
        "whole": pyarrow.array([3.0, 5.0]),
    }
    (tmp_path / "p.parquet").write_bytes(parquet({"problem": ["a", "b"], **columns}))
    answers = {name: [p.answer for p in load_problems(tmp_path / "p.parquet", f"answer={name}")] for name in columns}
    assert answers == {"decimal": ["2.50", "3.00"], "single": ["0.1", "2.5"], "whole": ["3", "5"]}


def test_lines_of_another_length_are_named_by_where_they_begin(tmp_path):
    (tmp_path / "p.csv").write_text('problem,answer\n"a\nb",1\nc\n')
    with pytest.raises(DataError, match="line 4: another number of fields than the header has"):
        load_problems(tmp_path / "p.csv")


def test_a_first_line_that_is_broken_is_still_jsonl(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"problem": "a\n' + jsonl())
    assert recognize_kind(path) is Kind.JSONL
    with pytest.raises(DataError, match="line 1: not JSON"):
        load_problems(path)


@pytest.fixture
def saved(tmp_path):
    import datasets

    made = datasets.Dataset.from_list(ROWS)
    made.select([1, 0]).save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": made, "test": made.select([1])}).save_to_disk(tmp_path / "both")
    return tmp_path


def test_what_save_to_disk_wrote(saved):
    assert [(p.id, p.answer) for p in load_problems(saved / "one")] == [("one-0001", "2"), ("one-0002", "1")]
    assert [p.id for p in load_problems(saved / "both", split="test")] == ["test-0001"]
    assert load_problems(f"{saved / 'both'}:test") == load_problems(saved / "both", likely="test")
    with pytest.raises(DataError, match=r"has the splits train, test\. Say which: .*both:train"):
        load_problems(saved / "both")
    with pytest.raises(DataError, match="no split 'dev'; expected one of: test, train"):
        load_problems(saved / "both", split="dev")


def test_directories(tmp_path):
    for name in ("train-0.jsonl", "train-1.jsonl", "math_dev.jsonl", "README.md", ".hidden.jsonl"):
        (tmp_path / name).write_text(jsonl([{"problem": name, "answer": 1}]))
    assert [p.problem for p in load_problems(tmp_path, likely="train")] == ["train-0.jsonl", "train-1.jsonl"]
    assert [p.problem for p in load_problems(tmp_path, split="validation")] == ["math_dev.jsonl"]
    with pytest.raises(DataError, match=r"has the splits validation, train\. Say which"):
        load_problems(tmp_path)
    (tmp_path / "train-2.csv").write_text("problem,answer\nx,1\n")
    with pytest.raises(DataError, match=r"several kinds \(\.csv, \.jsonl\)"):
        load_problems(tmp_path, split="train")


def test_a_clone_has_its_files_further_down(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "README.md").write_text("about")
    (tmp_path / "data" / "part-0.parquet").write_bytes(parquet())
    assert len(load_problems(tmp_path)) == 2


def test_a_name_that_is_nowhere():
    with pytest.raises(DataError, match="no such file"):
        load_problems("nowhere.jsonl")
    with pytest.raises(DataError, match="is on the hub, and HF_HUB_OFFLINE is set"):
        load_problems("someone/maths:test")
