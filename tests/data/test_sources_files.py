"""Local files of each kind: columns, malformed rows, going on in the middle."""

import csv
import json
from itertools import islice

import pyarrow
import pyarrow.parquet
import pytest

from stepalign.core.errors import ConfigError, DataError
from stepalign.data.sources import open_source

ROWS = [{"question": f"What is {i} + 1?", "final": str(i + 1), "level": i % 3} for i in range(20)]
COLUMNS = ["problem=question", "answer=final", "meta.level=level"]


def write(directory, kind: str, rows=ROWS):
    path = directory / f"problems.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n\n" for row in rows))
    elif kind == "json":
        path.write_text(json.dumps(rows))
    elif kind == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=6)
    return str(path)


KINDS = ("jsonl", "json", "csv", "parquet")


@pytest.mark.parametrize("kind", KINDS)
def test_columns_are_mapped(tmp_path, kind):
    entries = list(open_source(write(tmp_path, kind), columns=COLUMNS))
    assert [entry.position for entry in entries] == list(range(20))
    problem = entries[4].problem
    assert (problem.problem, problem.answer, int(problem.meta["level"])) == ("What is 4 + 1?", "5", 1)
    assert problem.id.startswith("problems-") and len({entry.problem.id for entry in entries}) == 20


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stop", [1, 6, 13, 20])
def test_reading_goes_on_behind_the_last_row(tmp_path, kind, stop):
    path = write(tmp_path, kind)
    whole = list(open_source(path, columns=COLUMNS))
    stream = open_source(path, columns=COLUMNS)
    start = list(islice(stream, stop))
    state = json.loads(json.dumps(stream.state()))
    assert start + list(open_source(path, columns=COLUMNS, state=state)) == whole


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_column_names_those_there_are(tmp_path, kind):
    with pytest.raises(
        DataError, match=r"no column for the answer; the columns are: question, final, level.*--columns"
    ):
        list(open_source(write(tmp_path, kind)))
    with pytest.raises(DataError, match="no column 'lvl'"):
        list(open_source(write(tmp_path, kind), columns=[*COLUMNS[:2], "meta.lvl=lvl"]))


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
def test_rows_that_cannot_be_read_are_given_out_as_such(tmp_path, kind):
    rows = [ROWS[0], {**ROWS[1], "final": None}, {**ROWS[2], "question": " "}, ROWS[3]]
    entries = list(open_source(write(tmp_path, kind, rows), columns=COLUMNS))
    assert [entry.problem is None for entry in entries] == [False, True, True, False]
    assert "'final' is null" in entries[1].trouble and "'question' is empty" in entries[2].trouble


def test_a_csv_line_of_another_length(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text('problem,answer\n"a, b",1\nc\nd,2,3\ne,4\n')
    entries = list(open_source(str(path)))
    assert [entry.problem is None for entry in entries] == [False, True, True, False]
    assert "line 3: another number of fields" in entries[1].trouble


def test_a_jsonl_line_that_is_no_object_stops_with_its_number(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"problem": "a", "answer": 1}\n{"problem": \n')
    with pytest.raises(DataError, match=r"p\.jsonl, line 2: not JSON"):
        list(open_source(str(path)))


def test_a_directory_is_its_files_in_order(tmp_path):
    for number in (2, 1):
        part = ROWS[10 * (number - 1) : 10 * number]
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(part), tmp_path / f"part-{number}.parquet")
    stream = open_source(str(tmp_path), columns=COLUMNS)
    first = list(islice(stream, 14))
    rest = list(open_source(str(tmp_path), columns=COLUMNS, state=stream.state()))
    assert [entry.problem.problem for entry in first + rest] == [row["question"] for row in ROWS]
    (tmp_path / "x.csv").write_text("a")
    with pytest.raises(DataError, match=r"several kinds \(\.csv, \.parquet\)"):
        open_source(str(tmp_path))


def test_ids_and_solutions_of_the_own_format(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"id": 7, "problem": "a", "answer": 1.5, "solution": "s", "meta": {"a": [1]}}\n')
    (entry,) = open_source(str(path))
    assert entry.problem.to_json() == {"id": "7", "problem": "a", "answer": "1.5", "solution": "s", "meta": {"a": [1]}}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("e.jsonl", "", "no rows"),
        ("e.csv", "problem,answer\n", "no rows"),
        ("e.json", "{}", "got a dict; expected a list"),
        ("e.json", "[", "not JSON"),
        ("e.parquet", "none", "cannot be read as parquet"),
        ("e.csv", "problem,answer\n\x00\xff", "no CSV in UTF-8"),
    ],
)
def test_files_without_rows(tmp_path, name, text, message):
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=message):
        list(open_source(str(tmp_path / name)))


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.jsonl", "no such file"), (".", "a directory without files"), ("p.txt", r"unknown kind of file '\.txt'")],
)
def test_paths_that_lead_nowhere(tmp_path, name, message):
    (tmp_path / "p.txt").write_text("a")
    with pytest.raises(DataError, match=message):
        open_source(str(tmp_path / name))


@pytest.mark.parametrize(
    ("columns", "message"),
    [(["question"], "expected part=column"), (["anwser=final"], "unknown part 'anwser'; perhaps you meant 'answer'")],
)
def test_bad_columns(tmp_path, columns, message):
    with pytest.raises(ConfigError, match=message):
        open_source(write(tmp_path, "csv"), columns=columns)
