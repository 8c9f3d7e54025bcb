"""Rollouts as other trainers log them, in rows as their code writes them."""

import json

import pandas as pd
import pytest

from stepalign.cli import main
from stepalign.core.errors import DataError
from stepalign.core.files import read_jsonl, write_jsonl
from stepalign.core.problem import Problem
from stepalign.data.logged import load_rollouts

PROBLEMS = [Problem("p1", "What is 2 + 2?", "4"), Problem("p2", "What is 2 + 2? And 3 more?", "7")]
TRL = [  # GRPOTrainer.log with log_completions: step, prompt, completion, a column a reward, advantage
    {"step": 10, "prompt": [{"role": "user", "content": "What is 2 + 2?"}],
     "completion": [{"role": "assistant", "content": f"<answer>{n}</answer>"}], "reward": n == 4, "advantage": 0.1}
    for n in (4, 5)
]  # fmt: skip
SWIFT = [  # GRPOTrainer of ms-swift: completions.jsonl, a step a row; the prompt as the chat template renders it
    {"step": [3, 3], "prompt": ["<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n"] * 2, "completion": ["4", "5"],
     "advantages": [0.5, -0.5]}
]  # fmt: skip
VERL = [  # RayPPOTrainer._dump_generations: input and output decoded without special tokens
    {
        "input": "user\nWhat is 2 + 2?\nassistant\n",
        "output": "It is <answer>5</answer>",
        "gts": "4",
        "score": 0.0,
        "step": 1,
    }
]
MESSAGES = [{"messages": [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "4!"}]}]
ALL = {"trl": TRL, "ms-swift": SWIFT, "verl": VERL, "messages": MESSAGES}


@pytest.mark.parametrize("format", ALL)
def test_each_log_finds_its_problem_by_the_prompt(format, caplog):
    rollouts = load_rollouts(ALL[format], PROBLEMS)
    assert {rollout.problem.id for rollout in rollouts} == {"p1"}
    assert [rollout.sample for rollout in rollouts] == [*range(len(rollouts))]
    assert ("conversations" if format == "messages" else format) in caplog.text
    texts = {"trl": ["<answer>4</answer>", "<answer>5</answer>"], "ms-swift": ["4", "5"], "messages": ["4!"],
             "verl": ["It is <answer>5</answer>"]}  # fmt: skip
    assert [rollout.text for rollout in rollouts] == texts[format]
    assert load_rollouts(ALL[format], PROBLEMS, format) == rollouts


def test_the_longest_problem_in_the_prompt_is_the_one():
    longer = [{**VERL[0], "input": "user\nWhat is 2 + 2? And 3 more?\nassistant\n"}]
    assert [r.problem.id for r in load_rollouts([*VERL, *longer], PROBLEMS)] == ["p1", "p2"]


def test_a_row_that_names_its_problem_is_a_sample_of_our_own():
    rows = [{"id": "p2", "prompt": "What is 2 + 2?", "completion": "7"}]
    (rollout,) = load_rollouts(rows, PROBLEMS)
    assert (rollout.problem.id, rollout.text) == ("p2", "7")
    assert [r.problem.id for r in load_rollouts(rows, PROBLEMS, "trl")] == ["p1"]


def test_without_problems_the_prompt_is_one_and_needs_an_answer():
    (rollout,) = load_rollouts(VERL, None)
    assert (rollout.problem.id, rollout.problem.answer) == ("logged-00001", "4")
    assert rollout.problem.problem == "user\nWhat is 2 + 2?\nassistant"
    with pytest.raises(DataError, match="no right answer: none of the columns gts, ground_truth, answer"):
        load_rollouts(TRL, None)


@pytest.mark.parametrize(
    ("rows", "format", "words"),
    [
        ([{"prompt": "x", "text": "y"}], None, "need their problems|'problem_id' is missing"),
        ([{"input": "What is 2 + 2?"}], "verl", "'output' is missing"),
        ([{"prompt": "What is 2 + 2?"}], "trl", "'completion' is missing"),
        ([{"messages": [{"role": "user", "content": "hi"}]}], "messages", "does not end with a turn of the assistant"),
        ([{**VERL[0], "input": "What is 9 + 9?"}], None, "holds the text of none of the problems: 'What is 9"),
    ],
)
def test_what_is_wrong_names_the_column(rows, format, words):
    with pytest.raises(DataError, match=words):
        load_rollouts(rows, PROBLEMS, format)


def test_the_commands_take_trls_parquet(tmp_path):
    folder = tmp_path / "completions"
    folder.mkdir()
    pd.DataFrame(TRL).to_parquet(folder / "completions_00010.parquet")
    write_jsonl(tmp_path / "p.jsonl", [problem.to_json() for problem in PROBLEMS])
    argv = ["--problems", str(tmp_path / "p.jsonl"), "--samples", str(folder / "completions_00010.parquet")]
    assert main(["grade", *argv, "--output_dir", str(tmp_path / "graded")]) == 0
    rows = read_jsonl(tmp_path / "graded" / "samples.jsonl")
    assert [(row["problem_id"], row["sample"], row["grade"]) for row in rows] == [
        ("p1", 0, "correct"),
        ("p1", 1, "wrong"),
    ]
    (tmp_path / "mine.py").write_text(
        "from stepalign import Critique\ndef critic(r):\n    return Critique('C', None, (), r.problem.answer)\n"
    )
    critic = ["--critic", f"{tmp_path / 'mine.py'}:critic", "--rollouts_format", "trl"]
    assert main(["critique", *argv, *critic, "--output_dir", str(tmp_path / "critiqued")]) == 0
    assert json.loads((tmp_path / "critiqued" / "ledger.json").read_text())["num_verified"] == 2


def test_verls_dump_needs_no_problems(tmp_path):
    write_jsonl(tmp_path / "1.jsonl", VERL)
    assert main(["grade", "--samples", str(tmp_path / "1.jsonl"), "--output_dir", str(tmp_path / "graded")]) == 0
    (row,) = read_jsonl(tmp_path / "graded" / "samples.jsonl")
    assert (row["problem_id"], row["grade"], row["extracted"]) == ("logged-00001", "wrong", "5")
