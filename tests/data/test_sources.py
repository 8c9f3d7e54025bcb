"""Rows of the true schema of each registered dataset (the adapters say where it is from), and the datasets' names."""

import json

import pytest

from stepalign.core.errors import ConfigError, DataError
from stepalign.data.row import Row
from stepalign.data.sources import SOURCES, find_source, open_source, processbench

OMR = {
    "expected_answer": "\\frac{3}{4}",
    "problem_type": "has_answer_extracted",
    "problem_source": "aops_c6_high_school_olympiads",
    "generation_model": "DeepSeek-R1",
    "pass_rate_72b_tir": "0.65625",
    "problem": "Find the least value of $x^2 + x + 1$.",
    "generated_solution": "<think>\nComplete the square.\n</think>\n\\boxed{\\frac{3}{4}}",
    "inference_mode": "cot",
    "used_in_kaggle": True,
}
GSM8K = {
    "question": "Natalia sold 1,048 clips in April, and as many in May. How many did she sell?",
    "answer": "She sold 2*1048 = <<2*1048=2096>>2096 clips.\n#### 2,096",
}
MATH_500 = {
    "problem": "Convert $(0,3)$ to polar coordinates.",
    "solution": "We have that $r = 3$. $\\boxed{\\left( 3, \\frac{\\pi}{2} \\right)}$",
    "answer": "\\left( 3, \\frac{\\pi}{2} \\right)",
    "subject": "Precalculus",
    "level": 2,
    "unique_id": "test/precalculus/807.json",
}
AIME_2024 = {
    "id": 60,
    "problem": "Every morning Aya goes for a 9-kilometer walk.",
    "solution": "The total is \\boxed{204}.",
    "answer": "204",
    "url": "https://artofproblemsolving.com/wiki/index.php/2024_AIME_I_Problems/Problem_1",
    "year": "2024",
}
MAXWELL = {"ID": "2024-II-4", "Problem": "Let $x,y$ and $z$ be positive.", "Solution": "Denote it.", "Answer": 33}
AIME_2025 = {"problem": "Find the sum of all integer bases.", "answer": "70", "id": "0"}
STEPS = ["First, 2 + 3 = 5.", "Then, 5 * 4 = 24.", "So the answer is \\boxed{24}."]
PROCESSBENCH = {
    "id": "gsm8k-0",
    "generator": "Qwen2-7B-Instruct",
    "problem": "Start with 2. Add 3. Times 4.",
    "steps": STEPS,
    "final_answer_correct": False,
    "label": 1,
}


def problem_of(name: str, row: dict):
    source = SOURCES[name]
    assert set(source.columns) <= set(row)
    return source.to_problem(Row("row 1", row))


def test_openmathreasoning():
    problem = problem_of("openmathreasoning", OMR)
    assert (problem.problem, problem.answer) == (OMR["problem"], "\\frac{3}{4}")
    assert problem.solution == OMR["generated_solution"]
    assert problem.meta["pass_rate_72b_tir"] == 0.65625 and problem.meta["problem_type"] == "has_answer_extracted"
    again = problem_of("openmathreasoning", OMR | {"generated_solution": "another", "pass_rate_72b_tir": "n/a"})
    assert again.id == problem.id and "pass_rate_72b_tir" not in again.meta


def test_openmathreasoning_without_an_answer_or_a_solution():
    problem = problem_of("openmathreasoning", OMR | {"expected_answer": "n/a", "generated_solution": None})
    assert (problem.answer, problem.solution) == ("", None)


def test_gsm8k():
    problem = problem_of("gsm8k", GSM8K)
    assert problem.answer == "2096"
    assert problem.solution == "She sold 2*1048 = 2096 clips."
    with pytest.raises(DataError, match="has no line '#### N'"):
        problem_of("gsm8k", GSM8K | {"answer": "2096"})


def test_gsm8k_real_rows(shared_data):
    entries = list(open_source(str(shared_data / "gsm8k" / "problems.jsonl"), adapter="gsm8k"))
    problems = [entry.problem for entry in entries if entry.problem]
    assert len(problems) == len(entries) == 600
    assert [p.answer for p in problems[:3]] == ["18", "3", "70000"]
    assert len({p.id for p in problems}) == 600


def test_math_500():
    problem = problem_of("math_500", MATH_500)
    assert (problem.id, problem.answer) == ("math_500-test/precalculus/807.json", MATH_500["answer"])
    assert problem.solution == MATH_500["solution"] and problem.meta == {"subject": "Precalculus", "level": 2}


@pytest.mark.parametrize(
    ("name", "row", "id", "answer"),
    [
        ("aime_2024", AIME_2024, "aime_2024-60", "204"),
        ("aime_2024_maxwell", MAXWELL, "aime_2024-2024-II-4", "33"),
        ("aime_2025", AIME_2025, "aime_2025-0", "70"),
        ("aime_2025_yentinglin", AIME_2025 | {"solution": "", "year": "2025"}, "aime_2025-0", "70"),
    ],
)
def test_aime(name, row, id, answer):
    problem = problem_of(name, row)
    assert (problem.id, problem.answer) == (id, answer)
    assert problem.problem == row.get("problem", row.get("Problem"))


def test_aime_of_opencompass():
    problem = problem_of("aime_2025_opencompass", {"question": "Find it.", "answer": "70"})
    assert problem.id.startswith("aime_2025-") and problem.answer == "70"


def test_processbench_counts_steps_from_one():
    problem = problem_of("processbench", PROCESSBENCH)
    assert problem.meta == {"first_wrong_step": 2, "final_answer_correct": False, "generator": "Qwen2-7B-Instruct"}
    assert problem.answer == ""  # the dataset has no answers, and this solution's is wrong
    right = problem_of("processbench", PROCESSBENCH | {"label": -1, "final_answer_correct": True})
    assert right.meta["first_wrong_step"] is None and right.answer == "24"
    reworked = problem_of("processbench", PROCESSBENCH | {"final_answer_correct": True})
    assert (reworked.meta["first_wrong_step"], reworked.answer) == (2, "24")  # right answer, wrong step


def test_processbench_as_a_rollout():
    rollout = processbench.to_rollout(Row("row 1", PROCESSBENCH))
    assert [step.text for step in rollout.trace.steps] == STEPS
    assert rollout.trace.answer == "24"
    wrong = rollout.problem.meta["first_wrong_step"]
    assert rollout.trace.steps[wrong - 1].text == "Then, 5 * 4 = 24."


@pytest.mark.parametrize("change", [{"label": 3}, {"label": "1"}, {"label": -2}, {"steps": []}, {"steps": "a"}])
def test_processbench_rows_of_another_shape(change):
    with pytest.raises(DataError, match="row 1"):
        problem_of("processbench", PROCESSBENCH | change)


@pytest.mark.parametrize("name", ["math-500", "MATH_500", "HuggingFaceH4/MATH-500", "huggingfaceh4/math-500"])
def test_names_in_any_spelling(name):
    assert find_source(name) is SOURCES["math_500"]


def test_unknown_names_get_suggestions():
    with pytest.raises(ConfigError, match="unknown source 'openmathreasonin'; perhaps you meant 'openmathreasoning'"):
        open_source("openmathreasonin")
    with pytest.raises(ConfigError, match="has no problems in split 'genselect'"):
        open_source("openmathreasoning", split="genselect")
    with pytest.raises(ConfigError, match="knows its columns"):
        open_source("gsm8k", columns=["problem=question"])


def test_an_adapter_reads_a_local_copy(tmp_path):
    path = tmp_path / "copy.jsonl"
    path.write_text(json.dumps(OMR) + "\n" + json.dumps(OMR | {"problem": None}) + "\n")
    good, bad = open_source(str(path), adapter="nvidia/OpenMathReasoning")
    assert good.problem.answer == "\\frac{3}{4}"
    assert bad.problem is None and "line 2: 'problem' is null" in bad.trouble
    with pytest.raises(DataError, match="no column 'question'; the columns are: expected_answer"):
        list(open_source(str(path), adapter="gsm8k"))
    with pytest.raises(ConfigError, match="unknown adapter 'gsm9k'; perhaps you meant 'gsm8k'"):
        open_source(str(path), adapter="gsm9k")
    with pytest.raises(ConfigError, match="adapter is for local files"):
        open_source("gsm8k", adapter="gsm8k")
