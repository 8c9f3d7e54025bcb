"""The commands on a real pretrained model, SmolLM2-135M-Instruct, at a size of seconds.

It solves next to nothing, and nothing here says that it should: what is tested is that a model which nobody made for
this software goes through every stage, with its own tokenizer and chat template.
"""

import json
import math

import pytest
import torch

from stepalign.cli import main
from stepalign.core.files import read_json, read_jsonl, write_jsonl

pytestmark = [pytest.mark.slow, pytest.mark.real_model]
PROBLEMS = [
    {"id": f"p{i}", "problem": f"Ann has {i + 2} apples and buys {i} more. How many has she?", "answer": str(2 * i + 2),
     "solution": f"She has {i + 2} apples.\n{i + 2} + {i} = {2 * i + 2}"} for i in range(8)
]  # fmt: skip
CRITIC = '''
from stepalign import Critique, CritiqueStep

def critic(rollout):
    """The solver's first step as it is, then the answer."""
    steps = [CritiqueStep(step.text, "copied") for step in rollout.trace.steps[:1]]
    rest = CritiqueStep("So the answer is " + rollout.problem.answer + ".", "rewritten")
    return Critique("D", len(steps) + 1, (*steps, rest), rollout.problem.answer)
'''


@pytest.fixture
def problems(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "problems.jsonl", PROBLEMS)
    (tmp_path / "mine.py").write_text(CRITIC)
    return "problems.jsonl"


def stepalign(*argv):
    assert main([str(word) for word in argv]) == 0


@pytest.mark.parametrize("case", ["fizzbuzz-syntax-error", "integral-answer-tags"])
def test_every_token_of_a_case_is_scored_and_its_text_comes_back(case, smollm2, tmp_path):
    from tests.docs.pages import ROOT

    path = ROOT / "examples" / "cases" / f"{case}.yaml"
    stepalign("inspect", path, "--model", smollm2, "--output_dir", tmp_path)
    result = read_json(tmp_path / "advantage.json")
    assert len(result["tokens"]) > 50
    for scored in result["contexts"].values():
        pairs = zip(scored["teacher_logp"], scored["student_logp"], scored["advantage"], strict=True)
        assert all(math.isclose(t - s, a, abs_tol=1e-4) for t, s, a in pairs)


def test_a_gguf_file_is_a_model_like_its_directory(smollm2_file, smollm2, problems, tmp_path):
    """The same weights, dequantized as they are read: the same greedy text."""
    for model, out in ((smollm2_file, "file"), (smollm2, "directory")):
        sampling = ("--temperature", "0", "--num_samples", "1", "--max_new_tokens", "8")
        stepalign("evaluate", "--model", model, "--problems", problems, *sampling, "--output_dir", out)
    first, second = (read_jsonl(tmp_path / out / "samples.jsonl") for out in ("file", "directory"))
    assert [row["text"] for row in first] == [row["text"] for row in second]
    assert all(row["text"].strip() for row in first)
    assert read_json(tmp_path / "file" / "metrics.json")["num_problems"] == 8


def test_preflight_measures_contexts_of_all_kinds(smollm2, problems, tmp_path):
    sampling = ("--num_samples", "2", "--max_completion_length", "24")
    options = ("--num_problems", "2", "--conditions", "refsol", "other", "stepalign", "--critic", "mine.py:critic")
    stepalign(
        "preflight", "--model_name_or_path", smollm2, "--problems", problems, *sampling, *options, "--output_dir", "out"
    )
    formats = read_json(tmp_path / "out" / "preflight.json")["formats"]
    assert set(formats) == {"refsol", "other", "stepalign"}


@pytest.mark.parametrize("condition", ["grpo", "refsol", "other", "none", "stepalign"])
def test_two_steps_of_training_leave_an_adapter_that_plain_peft_loads(condition, smollm2, problems, tmp_path):
    from peft import AutoPeftModelForCausalLM

    peft = ("--use_peft", "true", "--lora_r", "4", "--lora_target_modules", "q_proj", "v_proj")
    sizes = ("--max_steps", "2", "--save_steps", "2", "--per_device_train_batch_size", "2", "--num_generations", "2")
    more = ("--max_completion_length", "24", "--learning_rate", "1e-3", "--seed", "1", "--critic", "mine.py:critic")
    argv = ("train", "--model_name_or_path", smollm2, "--condition", condition, "--train_problems", problems)
    stepalign(*argv, *sizes, *more, *peft, "--output_dir", "run")
    rows = read_jsonl(tmp_path / "run" / "metrics.jsonl")
    assert [row["step"] for row in rows] == [1, 2] and all(math.isfinite(row["loss"]) for row in rows)
    model = AutoPeftModelForCausalLM.from_pretrained(tmp_path / "run" / "checkpoint-2")
    moved = {name: float(p.detach().abs().max()) for name, p in model.named_parameters() if "lora_B" in name}
    assert len(moved) == 60  # of 30 layers
    assert condition == "grpo" or max(moved.values()) > 0  # GRPO learns nothing where all answers are wrong
    merged = model.merge_and_unload()
    assert torch.isfinite(merged(torch.tensor([[1, 2, 3]])).logits).all()


def test_programs_are_run_and_what_they_say_is_a_context(smollm2, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = {"entry_point": "f", "test": "def check(candidate):\n    assert candidate(2) == 3"}
    asked = "Write a Python function f(x) that returns x plus 1. Answer with one Python code block and nothing else."
    rows = [{"id": str(i), "problem": asked, **code} for i in range(2)]
    write_jsonl(tmp_path / "code.jsonl", rows)
    sizes = ("--max_steps", "1", "--save_steps", "1", "--per_device_train_batch_size", "2", "--seed", "1")
    more = (
        "--max_completion_length",
        "40",
        "--prompt_templates",
        "bare",
        "--temperature",
        "0.2",
        "--max_steps_without_context",
        "0",
    )
    argv = ("train", "--model_name_or_path", smollm2, "--condition", "execution", "--train_problems", "code.jsonl")
    stepalign(*argv, *sizes, *more, "--output_dir", "run")
    found = read_jsonl(tmp_path / "run" / "rollouts.jsonl")
    assert {row["grade"] for row in found} & {"correct", "wrong", "error"}  # at this temperature it writes programs
    for row in found:
        ran = row["grade"] != "unparseable"
        assert (row["context"] or "").startswith("The program ") == ran


def test_as_its_own_critic_every_reply_is_counted(smollm2, problems, tmp_path):
    text = "<step_1>She has 2 apples.</step_1>\n<answer>7</answer>"
    write_jsonl(tmp_path / "samples.jsonl", [{"problem_id": f"p{i}", "text": text} for i in range(2)])
    critic = ("--critic", "local", "--critic_model", smollm2, "--critic_max_tokens", "64", "--critic_num_reasks", "0")
    argv = ("critique", "--problems", problems, "--samples", "samples.jsonl", *critic, "--output_dir", "out")
    assert main([str(word) for word in argv]) in (0, 2)  # 2: not one is verified
    ledger = json.loads((tmp_path / "out" / "ledger.json").read_text())
    assert ledger["num_samples"] == 2 == ledger["num_verified"] + sum(ledger["num_rejected"].values())
    assert ledger["tokens_in"] > 200 and ledger["tokens_out"] > 0
