"""The command end to end on the micro solver, and errors with exit code 2."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import stepalign
from stepalign.cli import main
from stepalign.core.files import read_jsonl

ROW = {
    "id": "p1",
    "problem": "Start with 62. Add 78. Minus 82.",
    "answer": "58",
    "solution": "62 + 78 = 140.\n140 - 82 = 58.",
    "steps": ["Add 78: we get 140.", "Minus 82: 140 - 82 = 68."],
    "first_wrong_step": 2,
    "reason": "140 - 82 is 58.",
}
SHORT = {"problem": "Start with 12. Add 30.", "answer": "42", "solution": "12 + 30 = 42.", "steps": ["12 + 30 = 43."]}
ROWS = [
    ROW,
    {**ROW, **SHORT, "id": "p2", "first_wrong_step": 1},
    {**ROW, "id": "p3", "steps": ["Add 78: we get 140.", "140 - 82 = 58."], "first_wrong_step": None, "reason": ""},
]


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def localize(labels, tmp_path, *argv):
    return main(["localize", "--model", "micro", "--labels", str(labels), "--output_dir", str(tmp_path / "o"), *argv])


def test_every_default_condition_from_labels_alone(labels, tmp_path, capsys):
    assert localize(labels, tmp_path) == 0
    result = json.loads((tmp_path / "o" / "localization.json").read_text())
    names = ["none", "other", "refsol", "describe", "whole_attempt", "stepalign", "random_step"]
    assert list(result["conditions"]) == names
    assert result["num_rollouts"] == 3
    entry = result["conditions"]["stepalign"]
    for measure in ("mean_correct", "mean_wrong", "min_wrong", "auroc_step", "hit_rate", "chance"):
        low, high = entry[measure]["ci95"]
        assert low <= entry[measure]["value"] <= high
    out = capsys.readouterr().out
    assert "spliced from label and reference solution" in out
    assert (tmp_path / "o" / "report.html").is_file()
    contexts = {(r["format"], r["problem_id"]): r["context"] for r in read_jsonl(tmp_path / "o" / "contexts.jsonl")}
    assert contexts["other", "p1"] not in (ROW["solution"], None)  # p3 is the same problem, which is no other one
    assert contexts["describe", "p1"] == "Step 2 of the attempt is the first wrong one. 140 - 82 is 58."
    assert ROW["steps"][1] in contexts["whole_attempt", "p1"]
    assert ROW["steps"][1] not in contexts["stepalign", "p1"]


def test_columns_of_another_log_are_named_and_its_format_said(tmp_path):
    rows = [{"q": row["problem"], "said": "\n".join(row["steps"]), "gold": row["answer"]} for row in ROWS]
    rows = [{**row, "first_wrong_step": of["first_wrong_step"]} for row, of in zip(rows, ROWS, strict=True)]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    more = ["--sample_columns", "prompt=q,text=said,answer=gold", "--rollouts_format", "trl", "--conditions", "answer"]
    assert localize(path, tmp_path, *more) == 0
    kept = read_jsonl(tmp_path / "o" / "labels.used.jsonl")
    assert [row["steps"] for row in kept] == [row["steps"] for row in ROWS]
    assert stepalign.localize("micro", rows, output_dir=tmp_path / "p", conditions=["answer"], num_rollouts=2,
                              sample_columns=more[1])["num_rollouts"] == 2  # fmt: skip


def test_a_directory_of_before_there_were_names_of_columns_goes_on(labels, tmp_path, capsys):
    assert localize(labels, tmp_path, "--conditions", "answer") == 0
    settings = json.loads((tmp_path / "o" / "localize.json").read_text())
    older = {key: value for key, value in settings.items() if key not in ("rollouts_format", "sample_columns")}
    (tmp_path / "o" / "localize.json").write_text(json.dumps(older))
    assert localize(labels, tmp_path, "--conditions", "answer") == 0
    assert localize(labels, tmp_path, "--conditions", "answer", "--answer_patterns", "boxed") == 2
    assert "answer_patterns is" in capsys.readouterr().err


def test_the_report_can_be_written_again(labels, tmp_path):
    assert localize(labels, tmp_path, "--conditions", "refsol") == 0
    page = tmp_path / "o" / "report.html"
    before = page.read_text()
    page.unlink()
    assert main(["report", str(tmp_path / "o")]) == 0
    assert page.read_text() == before


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--conditions", "refsool"], "perhaps you meant 'refsol'"),
        (["--model", "nowhere/at/all"], "no model directory"),
        (["--labels", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--critic", "exactly"], "unknown critic"),
        (["--num_rollouts", "0"], "1 or more"),
        (["--labls", "x"], "perhaps you meant 'labels'"),
    ],
)
def test_errors_are_one_message(labels, tmp_path, capsys, argv, words):
    assert localize(labels, tmp_path, *argv) == 2
    assert words in capsys.readouterr().err


def test_a_wrong_label_is_named_by_its_line(labels, tmp_path, capsys):
    labels.write_text(labels.read_text() + json.dumps({**ROW, "id": "p4", "first_wrong_step": 3}) + "\n")
    assert localize(labels, tmp_path) == 2
    assert "labels.jsonl, line 4: the first wrong step is 3; expected 1 to 2" in capsys.readouterr().err


def test_help_teaches(capsys):
    assert main(["localize", "--help"]) == 0
    out = capsys.readouterr().out
    assert "first_wrong_step" in out and "--conditions" in out and "spliced" in out


def test_a_killed_command_goes_on(labels, tmp_path):
    """The rows of a killed process stay, and the next one finishes them to what an undisturbed one finds."""
    rows = [{**row, "id": f"{row['id']}-{i}"} for i in range(40) for row in ROWS]
    labels.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = [sys.executable, "-c", "from stepalign.cli import main; raise SystemExit(main())", "localize"]
    argv = ["--model", "micro", "--labels", str(labels), "--conditions", "refsol", "stepalign", "--output_dir"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen([*run, *argv, str(killed)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    scores = killed / "scores.jsonl"
    while not (scores.exists() and b"\n" in scores.read_bytes()) and time.monotonic() < deadline:
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    process.wait()
    num_before = len(read_jsonl(scores))
    assert 0 < num_before < 2 * len(rows)
    assert main(["localize", *argv, str(killed)]) == 0
    assert main(["localize", *argv, str(whole)]) == 0
    assert (killed / "localization.json").read_bytes() == (whole / "localization.json").read_bytes()


def test_as_a_function(tmp_path):
    result = stepalign.localize("micro", ROWS, output_dir=tmp_path / "o", conditions=["refsol", "stepalign"])
    assert repr(result).startswith("3 labelled rollouts; AUROC of the wrong step: refsol ")
    table = result.to_pandas()
    assert list(table["condition"]) == ["refsol", "stepalign"]
    assert table["mean_wrong/num_rollouts"].tolist() == [2, 2]
    assert result.directory == tmp_path / "o"
