import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from stepalign.core.errors import ConfigError
from stepalign.core.rollout import Grade, Outcome
from stepalign.grading import Grader, extract_answer, grade_answer

GSM8K = Path(__file__).parents[2] / "../shared/data/gsm8k/model_solutions.jsonl"
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
HANGS = r"\dfrac{5^{(5^{(5^{(5^5)})}-4)}-5}{16}"
HOSTILE = [
    HANGS,
    "9" * 10**6,
    "9" * 900 + "^{" + "9" * 90 + "}",
    "10^{10^{10}}",
    "100000000!",
    r"\binom{10^9}{10^8}",
    "(x+1)^{100000}",
    r"\sum_{n=1}^{10^9} \frac{1}{n^2}",
    "(" * 400 + "1" + ")" * 400,
    "{" * 10**5,
    r"\boxed{" * 10**5,
    r"\frac{1}{" * 90 + "2" + "}" * 90,
    "\x00",
    "18\x00",
    "\ud800\udfff",
    "٣٫١٤",
    "½",
    "",
    " ",
    "\\" * 900,
    "a" * 10**6,
    "1/0",
    "1e999999",
    "-" * 900 + "1",
    "|" * 700,
]


@pytest.fixture
def grader():
    with Grader(timeout_s=1.0, memory_limit_mb=512) as grader:
        yield grader


def num_started(grader):
    return sum(worker.pid is not None for worker in grader._workers)


def test_numbers_start_no_process(grader):
    assert grader.grade("<answer>47</answer>", "47") == Grade(Outcome.CORRECT, "47")
    assert grader.grade("<answer>48</answer>", "47") == Grade(Outcome.WRONG, "48")
    assert grader.grade("<answer>what</answer>", "47") == Grade(Outcome.UNPARSEABLE, "what")
    assert grader.grade("47", "47") == Grade(Outcome.UNPARSEABLE, None)
    assert num_started(grader) == 0


def test_mathematics_starts_one_process(grader):
    assert grader.grade(r"\boxed{2^{-1}}", r"$\boxed{\frac{1}{2}}$") == Grade(Outcome.CORRECT, "2^{-1}")
    assert grader.grade(r"\boxed{\frac{}", "5").outcome is Outcome.UNPARSEABLE
    assert num_started(grader) == 1
    grader.close()
    assert num_started(grader) == 0
    assert grader.grade(r"\boxed{4^{-1}}", "1/2").outcome is Outcome.WRONG


def test_a_self_correction_close_to_the_first_box_is_right(grader):
    assert grader.grade(r"\boxed{3}, no: \boxed{4}", "4").is_correct


def test_an_answer_in_open_thinking_is_none(grader):
    cut_off = r"maybe \boxed{4}, let me"
    assert grader.grade(cut_off, "4").is_correct
    assert grade_answer(cut_off, "4").is_correct
    assert grade_answer(cut_off, "4", thinking_open=True) == Grade(Outcome.UNPARSEABLE)
    with Grader(thinking_open=True) as thinking:
        assert thinking.grade(cut_off, "4") == Grade(Outcome.UNPARSEABLE)
        assert thinking.grade(cut_off + r"</think>\boxed{4}", "4").is_correct


def test_the_same_hang_is_waited_for_once(grader, monkeypatch):
    asked = []
    monkeypatch.setattr(grader._workers[0], "compare", lambda *pair: asked.append(pair) or Outcome.TIMEOUT)
    grades = [grader.grade(f"<answer>{HANGS}</answer>", "18") for _ in range(16)]
    assert {grade.outcome for grade in grades} == {Outcome.TIMEOUT}
    assert len(asked) == 1


def test_the_order_is_kept_with_several_workers():
    pairs = [(rf"\boxed{{2^{{{i % 7}}}}}", str(2 ** (i % 5))) for i in range(35)]
    with Grader(num_workers=2) as grader:
        outcomes = [grade.is_correct for grade in grader.grade_all(pairs)]
    assert outcomes == [i % 7 == i % 5 for i in range(35)]


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="timeout_s is 0"):
        Grader(timeout_s=0)
    with pytest.raises(ConfigError, match="num_workers is -1"):
        Grader(num_workers=-1)
    with pytest.raises(ConfigError, match="unknown answer pattern 'box'"):
        Grader(patterns=["box"])


def test_plain_answers_are_grouped_without_a_process(grader):
    answers = ["18", None, "$18.00", "17", "18 eggs", "east", "East"]
    assert grader.group(answers) == [0, None, 0, 1, 0, 2, 2]
    assert grader.group(["x^2"] * 12) == [0] * 12
    assert grader.group([None, None]) == [None, None]
    assert grader.group([]) == []
    assert num_started(grader) == 0


def test_answers_are_grouped_by_mathematics(grader):
    answers = ["1/2", r"2^{-1}", None, HANGS, "x + 1", "1 + x", r"\frac{", "0.5", HANGS, r"\frac{"]
    assert grader.group(answers) == [0, 0, None, 1, 2, 2, 3, 0, 1, 3]


@pytest.mark.slow
def test_every_hostile_answer_has_an_outcome():
    pairs = [(text, "18") for answer in HOSTILE for text in (answer, f"<answer>{answer}</answer>")]
    with Grader(timeout_s=1.0) as grader:
        grades = list(grader.grade_all(pairs))
        after = grader.grade(r"<answer>2^{-1}</answer>", "1/2")
    assert len(grades) == len(pairs)
    assert grades[1].outcome is Outcome.TIMEOUT
    assert [grade.extracted for grade in grades if grade.is_correct] == []
    assert after.is_correct


@pytest.mark.skipif(not GSM8K.exists(), reason="needs the GSM8K solutions, which are not in the repository")
def test_agrees_with_the_labels_of_real_solutions(grader):
    rows = [json.loads(line) for line in GSM8K.read_text().splitlines()]
    wrong = []
    for row in rows:
        gold = extract_answer(row["ground_truth"])
        assert gold is not None
        for model in MODELS:
            grade = grader.grade(row[model]["solution"], gold)
            if grade.is_correct != row[model]["is_correct"]:
                wrong.append((gold, grade, row[model]["solution"][-80:]))
    assert len(rows) == 600
    assert wrong == []


def test_the_program_ends_by_itself():
    script = "from stepalign.grading import grade_answer; print(grade_answer(r'\\boxed{2^{-1}}', '1/2').outcome)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "correct\n", "")


def test_a_script_without_a_main_guard_is_not_run_twice(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from stepalign.grading import grade_answer\nprint(grade_answer(r'\\boxed{2^{-1}}', '1/2').outcome)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "correct\n", "")


def test_no_process_is_left():
    assert grade_answer("<answer>4</answer>", "4").is_correct
    with Grader() as grader:
        grader.grade(r"\boxed{2^{-1}}", "1/2")
        process = psutil.Process(grader._workers[0].pid)
    assert not process.is_running()
