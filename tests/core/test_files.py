import json

import pytest

from stepalign.core.errors import DataError
from stepalign.core.files import append_jsonl, keep_rows, read_json, read_jsonl, stream_jsonl, write_json, write_text


def test_rows_come_back_and_a_cut_off_last_line_is_dropped(tmp_path):
    path = tmp_path / "rows.jsonl"
    append_jsonl(path, {"step": 1}, {"step": 2})
    with path.open("a") as file:
        file.write('{"step": 3, "te')
    assert read_jsonl(path) == [{"step": 1}, {"step": 2}]


@pytest.mark.parametrize("cut_off", ['{"step": 2', "2", '"' + "x" * 200_000])
@pytest.mark.parametrize("before", [[], [{"step": 1}]])
def test_appending_removes_a_cut_off_line_first(tmp_path, cut_off, before):
    path = tmp_path / "rows.jsonl"
    append_jsonl(path, *before)
    with path.open("a") as file:
        file.write(cut_off)
    assert read_jsonl(path) == before
    append_jsonl(path, {"step": 2})
    assert read_jsonl(path) == [*before, {"step": 2}]


def test_a_broken_line_in_the_middle_is_an_error_with_its_number(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\nnot json\n{"a": 2}\n')
    with pytest.raises(DataError, match="line 2"):
        read_jsonl(path)


def test_keep_rows_rewrites_only_what_is_kept(tmp_path):
    path = tmp_path / "rows.jsonl"
    append_jsonl(path, *({"step": step} for step in range(5)))
    keep_rows(path, lambda row: row["step"] <= 2)
    assert [row["step"] for row in read_jsonl(path)] == [0, 1, 2]


def test_a_missing_file_is_empty(tmp_path):
    assert read_jsonl(tmp_path / "none.jsonl") == []
    keep_rows(tmp_path / "none.jsonl", lambda row: False)
    assert not (tmp_path / "none.jsonl").exists()


def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path):
    path = tmp_path / "value.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError):
        write_json(path, {"a": float("nan")})
    assert read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["value.json"]


def test_lone_surrogates_in_model_output_do_not_stop_a_record(tmp_path):
    path = tmp_path / "rows.jsonl"
    append_jsonl(path, {"text": "a\ud800b"})
    assert read_jsonl(path)[0]["text"] == "a\ufffdb"
    write_text(tmp_path / "t.txt", json.dumps({"text": "\ud800"}))


def test_read_json_says_which_file(tmp_path):
    with pytest.raises(DataError, match=r"missing\.json"):
        read_json(tmp_path / "missing.json")


def test_a_stream_reads_no_further_than_it_is_asked(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"step": 1}\n\n{"step": 2}\nbroken\n{"step": 3')
    rows = stream_jsonl(path)
    assert [next(rows), next(rows)] == [{"step": 1}, {"step": 2}]
    with pytest.raises(DataError, match="line 4"):
        next(rows)
    assert list(stream_jsonl(tmp_path / "none.jsonl")) == []
