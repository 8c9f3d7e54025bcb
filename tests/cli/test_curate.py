import json

import pytest

from stepalign.cli import main
from stepalign.core.files import read_jsonl
from stepalign.curation import funnel as funnel_module

UNREACHABLE = "http://127.0.0.1:1/v1"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text("".join(json.dumps({"problem": f"What is {i}?", "answer": i}) + "\n" for i in range(4)))
    return path


def curate(source, out, *more):
    return main(["curate", "--source", str(source), "--output_dir", str(out), "--solver_model", "micro", *more])


def test_the_micro_recipe(tmp_path, monkeypatch, capsys):
    """The recipe as shipped, on fewer problems and samples, with short ones that are graded by a wide rule."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(funnel_module, "draw", lambda result, paths: None)
    assert main(["micro", "--output_dir", "problems", "--num_train", "12", "--num_test", "3"]) == 0
    size = ["--num_problems", "4", "--num_validation", "1", "--num_test", "1", "--num_samples", "8"]
    argv = ["curate", "--config", "curate-micro", *size, "--batch_problems", "6", "--output_dir", "out"]
    argv += ["--correct_rate_below", "0.9"]
    assert main(argv) == 0
    shown = capsys.readouterr()
    result = json.loads((tmp_path / "out" / "funnel.json").read_text())
    assert (result["num_kept"], result["stopped"]) == (4, "found_enough")
    assert "critic_solves           not asked for" in shown.out and "found" in shown.err
    assert "4 problems of" in shown.out and "2 for training, 1 for validation, 1 for test. See out." in shown.out
    assert shown.out.endswith("A page about it: stepalign report out\n")
    assert len(read_jsonl(tmp_path / "out" / "train.jsonl")) == 2
    assert (tmp_path / "out" / "config.yaml").exists() and (tmp_path / "out" / "environment.json").exists()
    before = {path: path.read_bytes() for path in (tmp_path / "out").glob("*.jsonl")}
    assert main(argv) == 0  # nothing is left to do
    assert {path: path.read_bytes() for path in (tmp_path / "out").glob("*.jsonl")} == before


def test_help_lists_the_settings_and_the_critics(capsys):
    assert main(["curate", "--help"]) in (0, None)
    out = capsys.readouterr().out
    assert "--correct_rate_below (default: 0.3125)" in out and "--critic_base_url" in out
    assert "Every other setting of TRL" not in out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--columns", "problem=question"], "no column 'question'; the columns are: problem, answer"),
        (["--columns", "probem=question"], "unknown part 'probem'; perhaps you meant 'problem'"),
        (["--source", "gsm9k"], "unknown source 'gsm9k'; perhaps you meant 'gsm8k'"),
        (["--source", "none.jsonl"], "none.jsonl: no such file"),
        (["--num_sample", "3"], "unknown setting 'num_sample'; perhaps you meant 'num_samples'"),
        (["--evaluation_sets", "none.csv"], "none.csv: no such file"),
        (["--solver_model", "./none"], "no model directory './none'"),
        (["--critic", "exact"], "critic 'exact' gives none"),
        (["--critic", "openai"], "critic 'openai' needs critic_base_url"),
        (["--answer_patterns", "box"], "unknown answer pattern 'box'; perhaps you meant 'boxed'"),
        (["--num_test", "400"], "num_validation and num_test take 430 of num_problems 342"),
        (["--solver_base_url", UNREACHABLE], f"cannot reach the solver at {UNREACHABLE}"),
    ],
)
def test_mistakes_are_one_message_and_exit_code_2(source, tmp_path, capsys, more, message):
    assert curate(source, tmp_path / "out", *more) == 2
    err = capsys.readouterr().err
    assert message in err and "Traceback" not in err


def test_a_mistake_binds_no_later_call(source, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(funnel_module, "draw", lambda result, paths: None)
    assert curate(source, tmp_path / "out", "--answer_patterns", "box", "--num_samples", "3") == 2
    other = tmp_path / "q.jsonl"
    other.write_text("".join(json.dumps({"problem": f"What is {i}?", "answer": i}) + "\n" for i in range(3, -1, -1)))
    capsys.readouterr()
    size = ["--num_samples", "2", "--num_validation", "0", "--num_test", "0", "--where", "level=1"]
    assert curate(other, tmp_path / "out", *size) == 2
    error = capsys.readouterr().err
    assert "no problem passed all stages" in error and "holds a curation" not in error
    assert curate(source, tmp_path / "out", *size) == 2  # rows of the other source are decided: that one binds
    assert "holds a curation with" in capsys.readouterr().err


def test_an_empty_source_and_a_broken_line(tmp_path, capsys):
    empty, broken = tmp_path / "e.jsonl", tmp_path / "b.jsonl"
    empty.write_text("")
    broken.write_text('{"problem": "a", "answer": 1}\nnothing\n')
    assert curate(empty, tmp_path / "o1") == 2
    assert "e.jsonl: no rows; expected at least one problem" in capsys.readouterr().err
    assert curate(broken, tmp_path / "o2") == 2
    assert "b.jsonl, line 2: not JSON" in capsys.readouterr().err


def test_no_output_dir_and_a_directory_in_use(source, tmp_path, capsys):
    from stepalign.core.files import exclusive

    assert main(["curate", "--source", str(source), "--solver_model", "micro"]) == 2
    assert "curate needs output_dir" in capsys.readouterr().err
    with exclusive(tmp_path / "out"):
        assert curate(source, tmp_path / "out") == 2
    assert "is in use by another process" in capsys.readouterr().err


def test_a_source_without_a_fitting_problem_still_shows_the_funnel(source, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(funnel_module, "draw", lambda result, paths: None)
    assert curate(source, tmp_path / "out", "--where", "level=1", "--num_samples", "2") == 2
    shown = capsys.readouterr()
    assert "0 of 4  wanted                  4 level" in shown.out
    assert "no problem passed all stages" in shown.err
    assert json.loads((tmp_path / "out" / "funnel.json").read_text())["stopped"] == "source_exhausted"
