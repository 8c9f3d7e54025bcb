import json

import pytest

from stepalign.cli import main
from stepalign.data.problems import load_problems

GSM8K = [{"question": f"{i}*2?", "answer": f"It is <<{i}*2={2 * i}>>{2 * i}.\n#### {2 * i}"} for i in range(1, 9)]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "gsm8k.dat"
    path.write_text("".join(json.dumps(row) + "\n" for row in GSM8K))
    return path


def test_problems_are_written_in_our_form_and_it_is_said_what_was_read(source, tmp_path, capsys):
    output = tmp_path / "out.jsonl"
    assert main(["data", str(source), "--output_file", str(output), "--num_rows", "3"]) == 0
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert rows == [
        {"id": f"gsm8k-000{i}", "problem": f"{i}*2?", "answer": str(2 * i), "solution": f"It is {2 * i}."}
        for i in (1, 2, 3)
    ]
    out, err = capsys.readouterr()
    assert out == f"3 problems are in {output}\n"
    assert "JSONL; 'question' is the problem, the answer is found in 'answer'" in err
    load_problems(output)


def test_without_an_output_the_first_problems_are_shown(source, capsys):
    assert main(["data", str(source)]) == 0
    out = capsys.readouterr().out
    assert "8 problems" in out and "gsm8k-0005" in out and "gsm8k-0006" not in out


def test_rows_that_cannot_be_used_are_left_out_and_counted(source, tmp_path, capsys):
    with source.open("a") as file:
        file.write('{"question": "no answer"}\n{"question": \n')
    output = tmp_path / "out.jsonl"
    assert main(["data", str(source), "--output_file", str(output)]) == 0
    assert len(load_problems(output)) == 8
    err = capsys.readouterr().err
    assert "2 of 10 rows are left out:\n  line 9: 'answer' is missing" in err and "  line 10: not JSON" in err


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ('{"frage": "q", "answer": 4}\n', [], "no column for the problem; the columns are: frage, answer"),
        ('{"problem": "q", "answer": ""}\n', [], "line 1: 'answer' is empty"),
        ("", [], "got an empty file"),
        ('{"problem": "q", "answer": 4}\n', ["--columns", "problem=nope"], "no column 'nope'"),
        ('{"problem": "q", "answer": 4}\n', ["--output_file", "{source}"], "would be overwritten"),
        ('{"problem": "q", "answer": 4}\n', ["--num_rows", "0"], "num_rows: got 0; expected 1 or more"),
    ],
)
def test_what_cannot_be_read_is_one_message(source, capsys, text, options, message):
    source.write_text(text)
    assert main(["data", str(source), *(option.format(source=source) for option in options)]) == 2
    err = capsys.readouterr().err
    assert message in err and len(err.splitlines()) == 1


def test_columns_and_split(tmp_path, capsys):
    for split in ("train", "test"):
        (tmp_path / f"{split}.csv").write_text(f"frage;antwort\n{split};4\n")
    output = tmp_path / "out" / "p.jsonl"
    columns = ["--columns", "problem=frage,answer=antwort"]
    assert main(["data", str(tmp_path), *columns, "--output_file", str(output)]) == 2
    assert "has the splits test, train" in capsys.readouterr().err
    assert main(["data", str(tmp_path), *columns, "--split", "train", "--output_file", str(output)]) == 0
    assert [p.problem for p in load_problems(output)] == ["train"]


def test_every_command_reads_the_same_shapes(source, tmp_path, capsys):
    samples = tmp_path / "samples.csv"
    samples.write_text("problem_id,response\ngsm8k-0001,A: 2\ngsm8k-0001,A: 3\n")
    out = tmp_path / "out"
    assert main(["grade", "--problems", str(source), "--samples", str(samples), "--output_dir", str(out)]) == 0
    graded = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    assert [row["grade"] for row in graded] == ["correct", "wrong"] and graded[0]["response"] == "A: 2"


def test_each_option_takes_its_own_split_and_all_the_same_columns(tmp_path):
    from stepalign.settings.groups import ComparisonSettings, MicroSettings
    from stepalign.settings.problems import compared_problems

    for split in ("train", "validation", "test"):
        (tmp_path / f"{split}.csv").write_text(f"frage;antwort\n{split};4\n")
    path = str(tmp_path)
    comparison = ComparisonSettings(validation_problems=path, test_problems=path)
    splits = compared_problems(path, comparison, MicroSettings(), "some/model", ["problem=frage", "answer=antwort"])
    assert {name: [p.problem for p in problems] for name, problems in splits.items()} == {
        name: [name] for name in ("train", "validation", "test")
    }
