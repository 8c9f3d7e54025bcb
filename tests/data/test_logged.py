"""Rollouts as other trainers log them, in rows as their code writes them."""

import json
from pathlib import Path

import pandas as pd
import pytest

from stepalign.cli import main
from stepalign.core.errors import ConfigError, DataError
from stepalign.core.files import read_jsonl, write_jsonl
from stepalign.core.problem import Problem
from stepalign.data.labels import load_labels
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
LOGS = (
    Path(__file__).parent / "logs"
)  # written by the code of verifiers 0.3 (prime-rl's file monitor) and tinker-cookbook
PRIME_RL = read_jsonl(LOGS / "prime_rl_traces.jsonl")
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


@pytest.mark.parametrize(
    ("name", "format", "texts"),
    [
        ("prime_rl_traces.jsonl", "prime-rl", ["2 + 2 = 5\n#### 5"]),
        (
            "train_logtree.json",
            "tinker",
            ["\\boxed{4}", "<think>\n2 and 2\n</think>\n\nIt is \\boxed{5}"],
        ),
        ("tinker_trajectories.jsonl", "tinker", ["\\boxed{4}<|im_end|>"]),
    ],
)
def test_nested_logs_give_a_rollout_each_with_its_answer(name, format, texts, caplog):
    rollouts = load_rollouts(LOGS / name, PROBLEMS)
    assert [rollout.text for rollout in rollouts] == texts
    assert {rollout.problem.id for rollout in rollouts} == {"p1"} and format in caplog.text
    alone = load_rollouts(LOGS / name, None, format)
    assert [rollout.text for rollout in alone] == texts and {r.problem.answer for r in alone} == {"4"}


def test_an_episode_without_a_trace_is_counted(caplog):
    failed = {**PRIME_RL[0], "ok": False, "traces": []}
    assert len(load_rollouts([*PRIME_RL, failed], PROBLEMS)) == 1
    assert "1 of 2 rows hold none" in caplog.text
    with pytest.raises(DataError, match="none of 1 rows holds a rollout"):
        load_rollouts([failed], PROBLEMS)


def test_the_last_sampled_turn_of_an_episode_is_the_rollout():
    (trace,) = PRIME_RL[0]["traces"]
    more = [
        {"parent": 1, "sampled": False, "message": {"role": "user", "content": "What is 2 + 2? Sure?"}},
        {"parent": 2, "sampled": True, "message": {"role": "assistant", "content": "4", "reasoning_content": "Hm."}},
        {"parent": 0, "sampled": False, "message": {"role": "assistant", "content": "of another branch"}},
    ]
    longer = {**PRIME_RL[0], "traces": [{**trace, "nodes": [*trace["nodes"], *more]}]}
    (rollout,) = load_rollouts([longer], PROBLEMS)
    assert rollout.text == "<think>\nHm.\n</think>\n\n4"


@pytest.mark.parametrize(
    ("rows", "format", "words"),
    [
        ([{"task": {}, "id": "e"}], "prime-rl", "'traces' is missing"),
        ([{"task": {}, "nodes": [{"parent": None, "sampled": True}]}], "prime-rl", "'message' is NoneType"),
        ([{"task": {}, "nodes": [{"parent": 7, "sampled": True}]}], None, "'nodes': got the parent 7; expected 0 to 0"),
        ([{"task": {}, "nodes": []}], None, "no turn of the user"),
        ([{"benchmark": "gsm8k"}], "tinker", "'turns' is missing"),
        ([{"root": {"tag": "body", "children": []}, "started_at": "x"}], None, "'root' holds no conversation"),
        (LOGS / "train_rollout_summaries.jsonl", None, r"no text. Give the \*_logtree.json"),
    ],
)
def test_what_is_wrong_in_a_nested_log_names_the_column(rows, format, words):
    with pytest.raises(DataError, match=words):
        load_rollouts(rows, PROBLEMS, format)


def test_columns_of_any_names_are_named():
    rows = [{"asked": "What is 2 + 2?", "said": "<answer>4</answer>", "right": "4", "uid": "of the row"}]
    (rollout,) = load_rollouts(rows, None, columns=["prompt=asked,text=said", "answer=right"])
    assert (rollout.problem.problem, rollout.text, rollout.problem.answer) == ("What is 2 + 2?", rows[0]["said"], "4")
    own = [{"task": "p2", "said": "7", "n": 3}]
    (rollout,) = load_rollouts(own, PROBLEMS, columns=["problem_id=task", "text=said", "sample=n"])
    assert (rollout.problem.id, rollout.sample, rollout.text) == ("p2", 3, "7")
    with pytest.raises(DataError, match="'reply' is missing; got 'task', 'said', 'n'"):
        load_rollouts(own, PROBLEMS, columns=["problem_id=task", "text=reply"])
    for words, message in (("problm=x", "unknown part 'problm'"), ("text", "expected part=column")):
        with pytest.raises(ConfigError, match=message):
            load_rollouts(own, PROBLEMS, columns=[words])


def test_grade_and_critique_take_named_columns(tmp_path, capsys):
    write_jsonl(tmp_path / "s.jsonl", [{"asked": "What is 2 + 2?", "said": "<answer>4</answer>", "right": "4"}])
    argv = ["grade", "--samples", str(tmp_path / "s.jsonl"), "--output_dir", str(tmp_path / "graded")]
    assert main([*argv, "--sample_columns", "prompt=asked,text=said,answer=right"]) == 0
    assert "100.0 % correct" in capsys.readouterr().out
    assert main([*argv, "--sample_columns", "prompt=asked,text=answered"]) == 2
    assert "'answered' is missing; got 'asked', 'said', 'right'" in capsys.readouterr().err


def test_a_log_with_its_first_wrong_steps_is_labels():
    text = "<step_1>2 + 2 = 4</step_1><step_2>4 + 1 = 6</step_2><answer>6</answer>"
    row = {"prompt": "2 + 2 + 1?", "completion": text, "answer": "5", "first_wrong_step": 2}
    (label,) = load_labels([row])
    assert (label.rollout.text, label.first_wrong_step, label.rollout.problem.answer) == (text, 2, "5")
    with pytest.raises(DataError, match="the first wrong step is 3; expected 1 to 2"):
        load_labels([{**row, "first_wrong_step": 3}])


def test_inspect_takes_a_log(tmp_path, capsys):
    logged = tmp_path / "log.jsonl"
    write_jsonl(logged, [{"input": "Start with 47. Add 38.", "output": "<step_1>47 + 38 = 75</step_1>", "gts": "85"}])
    argv = ["inspect", "--model", "micro", "--samples", str(logged), "--context", "hint=It is 85."]
    argv += ["--output_dir", str(tmp_path / "out"), "--num_alternatives", "0"]
    assert main([*argv, "--rollout", "0"]) == 0
    result = json.loads((tmp_path / "out" / "advantage.json").read_text())
    assert result["response"] == "<step_1>47 + 38 = 75</step_1>" and list(result["contexts"]) == ["hint"]
    capsys.readouterr()
    for more, words in (
        ([], "--samples needs --rollout: which of its 1 responses"),
        (["--rollout", "4"], "no response 4 in"),
        (["--rollout", "0", "--response", "x"], "got both --response and --samples"),
        (["--rollout", "0", "--run", "runs/x"], "got both --run and --samples"),
    ):
        assert main([*argv, *more]) == 2
        assert words in capsys.readouterr().err
