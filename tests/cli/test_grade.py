import json
import signal
import subprocess
import sys

import psutil
import pytest

from stepalign.cli import main

PROBLEMS = [
    {"id": "sum", "problem": "What is 2 + 2?", "answer": 4},
    {"id": "half", "problem": "What is 1 - 1/2?", "answer": r"\frac{1}{2}"},
]
SAMPLES = [
    {"problem_id": "half", "sample": 0, "text": r"\boxed{2^{-1}}", "num_tokens": 8, "seed": [1, {"a": None}]},
    {"problem_id": "sum", "sample": 0, "text": "A: 4"},
    {"problem_id": "sum", "sample": 1, "text": "A: 5"},
    {"problem_id": "sum", "sample": 2, "text": "\ud800"},
]
HANGS = r"\boxed{\dfrac{5^{(5^{(5^{(5^5)})}-4)}-5}{16}}"


@pytest.fixture
def grade(tmp_path):
    """Runs the command on the given samples; gives the exit code and the two results, None where they are missing."""

    def run(*options, samples=SAMPLES):
        for name, rows in {"problems": PROBLEMS, "samples": samples}.items():
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        out = tmp_path / "out"
        code = main(["grade", *inputs(tmp_path), "--output_dir", str(out), *options])
        if not (out / "grades.json").exists():
            return code, None, None
        graded = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
        return code, graded, json.loads((out / "grades.json").read_text())

    return run


def inputs(directory):
    return ["--problems", str(directory / "problems.jsonl"), "--samples", str(directory / "samples.jsonl")]


def test_rows_are_kept_in_order_with_their_grades(grade, capsys):
    code, graded, grades = grade()
    assert code == 0
    assert graded == [
        {**SAMPLES[0], "grade": "correct", "extracted": "2^{-1}"},
        {**SAMPLES[1], "grade": "correct", "extracted": "4"},
        {**SAMPLES[2], "grade": "wrong", "extracted": "5"},
        {**SAMPLES[3], "grade": "unparseable", "extracted": None},
    ]
    assert grades == {
        "num_samples": 4,
        "correct_rate": 0.5,
        "wrong_rate": 0.25,
        "unparseable_rate": 0.25,
        "timeout_rate": 0.0,
        "counts": {"correct": 2, "wrong": 1, "unparseable": 1, "timeout": 0},
    }
    shown = capsys.readouterr()
    assert shown.out.startswith("4 samples: 50.0 % correct, 25.0 % wrong, 25.0 % unparseable, 0.0 % timeout.")
    assert "stepalign report " in shown.out.splitlines()[-1]
    assert "4/4" in shown.err


def test_a_timeout_is_counted_on_its_own(grade):
    samples = [{"problem_id": "sum", "sample": i, "text": text} for i, text in enumerate([HANGS, "A: 4", HANGS])]
    _, graded, grades = grade("--timeout_s", "0.5", "--num_workers", "2", samples=samples)
    assert [row["grade"] for row in graded] == ["timeout", "correct", "timeout"]
    assert grades["counts"] == {"correct": 1, "wrong": 0, "unparseable": 0, "timeout": 2}


def test_answer_patterns(grade):
    _, graded, _ = grade("--answer_patterns", "boxed", "hash")
    assert [row["extracted"] for row in graded] == ["2^{-1}", None, None, None]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--answer_patterns", "box"], "unknown answer pattern 'box'; perhaps you meant 'boxed'?"),
        (["--timeout_s", "0"], "timeout_s is 0.0; expected more than 0."),
        (["--problems", "none.jsonl"], "none.jsonl: no such file"),
    ],
)
def test_bad_settings(grade, capsys, options, message):
    assert grade(*options) == (2, None, None)
    assert message in capsys.readouterr().err


def test_the_input_is_never_overwritten(grade, tmp_path, capsys):
    before = grade()[0], (tmp_path / "samples.jsonl").read_bytes()
    assert main(["grade", *inputs(tmp_path), "--output_dir", str(tmp_path)]) == 2
    assert "would be overwritten" in capsys.readouterr().err
    assert (0, (tmp_path / "samples.jsonl").read_bytes()) == before


def test_an_output_directory_that_is_a_file(grade, tmp_path, capsys):
    (tmp_path / "out").write_text("")
    assert grade() == (2, None, None)
    assert "File exists" in capsys.readouterr().err


def test_ctrl_c_ends_it_and_its_workers(grade, tmp_path):
    grade(samples=[{"problem_id": "sum", "sample": 0, "text": HANGS}])
    command = [sys.executable, "-m", "stepalign", "grade", *inputs(tmp_path), "--output_dir", str(tmp_path / "again")]
    process = subprocess.Popen([*command, "--timeout_s", "60"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "grading" not in (line := process.stderr.read(8)):  # the progress bar: the samples are being graded
        assert line, "it ended before it graded"
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 130
    assert rest.endswith("stepalign: interrupted. What was written stays.\n")
    assert psutil.wait_procs(children, timeout=30)[1] == []
    assert not (tmp_path / "again" / "samples.jsonl").exists()


def test_a_grader_of_ones_own(grade, tmp_path, capsys):
    (tmp_path / "mine.py").write_text("def grade(text, problem):\n    return 1 / (text.count('4') + text.count('2'))\n")
    code, graded, grades = grade("--grader", f"{tmp_path}/mine.py:grade")
    assert code == 0
    assert [(row["grade"], row.get("score")) for row in graded] == [
        ("correct", 1.0),
        ("correct", 1.0),
        ("error", None),
        ("error", None),
    ]
    assert (grades["error_rate"], grades["counts"]["error"], grades["mean_score"]) == (0.5, 2, 1.0)
    assert "50.0 % error" in capsys.readouterr().out


def test_an_answer_pattern_of_ones_own(grade):
    _, graded, _ = grade("--answer_patterns", "A: ?(.+)", "boxed")
    assert [row["extracted"] for row in graded] == ["2^{-1}", "4", "5", None]


def test_programs_are_graded_by_their_tests(grade, monkeypatch):
    code_problems = [
        {
            "id": "double",
            "problem": 'def double(x):\n    """Twice x."""\n',
            "test": "def check(candidate):\n    assert candidate(2) == 4\n",
            "entry_point": "double",
            "solution": "    return 2 * x\n",
        },
        {"id": "echo", "problem": "Print the input.", "tests": [{"stdin": "a", "stdout": "a"}]},
    ]
    monkeypatch.setattr(f"{__name__}.PROBLEMS", code_problems)
    texts = [
        "    return 2 * x",
        "    return 2 + y",
        "    return x",
        "    while x: pass",
        "I cannot.",
        "    return 'x' * 10**12",
    ]
    samples = [{"problem_id": "double", "sample": i, "text": text} for i, text in enumerate(texts)]
    samples.append({"problem_id": "echo", "sample": 0, "text": "```python\nprint(input())\n```"})
    code, graded, grades = grade("--timeout_s", "1", "--memory_limit_mb", "512", samples=samples)
    assert code == 0
    assert [row["grade"] for row in graded] == [
        "correct",
        "error",
        "wrong",
        "timeout",
        "unparseable",
        "memory",
        "correct",
    ]
    assert graded[1]["detail"] == {
        "type": "NameError",
        "message": "name 'y' is not defined",
        "line": 1,
        "test": "assert candidate(2) == 4",
    }
    assert [("detail" in row) for row in graded] == [False, True, True, True, False, True, False]
    assert grades["counts"] == {"correct": 2, "wrong": 1, "unparseable": 1, "timeout": 1, "error": 1, "memory": 1}
    assert sum(rate for key, rate in grades.items() if key.endswith("_rate")) == pytest.approx(1)
