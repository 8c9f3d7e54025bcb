"""Programs under a real pretrained model, SmolLM2-135M-Instruct, from samples to a comparison, at a size of seconds.

Rows as HumanEval has them; the problems are our own. Where HumanEval lies beside the checkout, its rows are taken.
"""

import gzip
import json
import math

import pytest
from tests.conftest import SHARED

from stepalign.cli import main
from stepalign.core.files import read_json, read_jsonl, write_jsonl

pytestmark = [pytest.mark.slow, pytest.mark.real_model]
OWN = [
    ("add_one", "Return x plus one.", "x: int", "    return x + 1\n", "assert candidate(2) == 3"),
    ("twice", "Return two times x.", "x: int", "    return 2 * x\n", "assert candidate(4) == 8"),
    (
        "largest",
        "Return the largest number of xs.",
        "xs: list",
        "    return max(xs)\n",
        "assert candidate([1, 3]) == 3",
    ),
    ("is_even", "Say whether x is even.", "x: int", "    return x % 2 == 0\n", "assert candidate(4) is True"),
]
CRITIC = '''
from stepalign import Critique, CritiqueStep

def critic(rollout):
    """The solver's program where it passes; else the reference's lines, the first copied where it is the solver's."""
    problem = rollout.problem
    own = [step.text for step in rollout.trace.steps]
    if rollout.grade is not None and rollout.grade.is_correct:
        return Critique("A", None, tuple(CritiqueStep(text, "copied") for text in own), None)
    right = [line for line in (problem.problem + problem.solution).splitlines() if line.strip()]
    kept = [text for text in own[:1] if text == right[0]]
    written = (CritiqueStep(text, "rewritten") for text in right[len(kept):])
    wrong = min(len(kept) + 1, len(own)) or None
    return Critique("D", wrong, (*(CritiqueStep(text, "copied") for text in kept), *written), None)
'''


def own_rows():
    return [
        {"task_id": f"own/{i}", "prompt": f'def {name}({given}):\n    """{text}"""\n', "canonical_solution": body,
         "entry_point": name, "test": f"def check(candidate):\n    {test}\n"}
        for i, (name, text, given, body, test) in enumerate(OWN)
    ]  # fmt: skip


@pytest.fixture
def problems(tmp_path, monkeypatch):
    """Eight rows: twice our own, or HumanEval's first."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(CRITIC)
    path = SHARED / "data" / "human_eval" / "HumanEval.jsonl.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines[:8]] or own_rows()
    for split, at in {"train": 0, "validation": 2, "test": 3}.items():
        write_jsonl(tmp_path / f"{split}.jsonl", rows[at : at + (2 if split == "train" else 1)])
    write_jsonl(tmp_path / "problems.jsonl", rows[:4])
    return "problems.jsonl"


def stepalign(*argv):
    assert main([str(word) for word in argv]) == 0


SAMPLING = ("--temperature", "0.2", "--prompt_templates", "bare")
SIZES = ("--per_device_train_batch_size", "2", "--max_steps", "1", "--save_steps", "1", "--seed", "1")
PEFT = ("--use_peft", "true", "--lora_r", "4", "--lora_target_modules", "q_proj", "v_proj")


def test_samples_are_graded_and_critiqued_by_running_them(smollm2, problems, tmp_path):
    sampled = ("evaluate", "--model", smollm2, "--problems", problems, "--num_samples", "1", "--max_new_tokens", "96")
    stepalign(*sampled, *SAMPLING, "--output_dir", "sampled")
    stepalign("grade", "--problems", problems, "--samples", "sampled/samples.jsonl", "--output_dir", "graded")
    first, again = (read_jsonl(tmp_path / out / "samples.jsonl") for out in ("sampled", "graded"))
    grades = [row["grade"] for row in first]
    assert [row["grade"] for row in again] == grades and {"correct", "wrong", "error"} & set(grades)
    for row in again:
        assert row["grade"] in ("correct", "unparseable") or row["detail"]["type"]
    critic = ("--critic", "mine.py:critic")
    stepalign(
        "critique", "--problems", problems, "--samples", "graded/samples.jsonl", *critic, "--output_dir", "critiqued"
    )
    rows = read_jsonl(tmp_path / "critiqued" / "critiques.jsonl")
    assert len(rows) == 4 and all(row["status"] == "verified" and row["answer"] is None for row in rows)
    assert all(row["text"].startswith("```python\n") for row in rows)


def test_a_step_of_training_and_its_rollout_in_lines(smollm2, problems, tmp_path):
    argv = ("train", "--model_name_or_path", smollm2, "--condition", "stepalign", "--train_problems", "train.jsonl")
    more = ("--max_completion_length", "64", "--critic", "mine.py:critic")
    stepalign(*argv, *SIZES, *SAMPLING, *PEFT, *more, "--output_dir", "run")
    rows = read_jsonl(tmp_path / "run" / "rollouts.jsonl")
    assert all(row["critique"]["answer"] is None and row["context"].startswith("```python") for row in rows)
    stepalign("inspect", "--run", "run", "--rollout", "0", "--output_dir", "looked")
    result = read_json(tmp_path / "looked" / "advantage.json")
    steps = {step["step"] for step in result["contexts"]["stepalign"]["steps"]}
    assert steps and all(math.isfinite(value) for value in result["contexts"]["stepalign"]["advantage"])


def test_formats_of_what_happened_are_compared_with_a_control(smollm2, problems, tmp_path):
    files = [w for s in ("train", "validation", "test") for w in (f"--{s}_problems", f"{s}.jsonl")]
    conditions = ("--conditions", "execution", "execution_aligned", "none", "--max_steps_without_context", "0")
    more = ("--max_completion_length", "48", "--num_samples", "1", "--num_seen", "0")
    argv = ("compare", "--model_name_or_path", smollm2, *files, *conditions, *more)
    stepalign(*argv, *SIZES, *SAMPLING, *PEFT, "--output_dir", "compared")
    results = read_json(tmp_path / "compared" / "results.json")
    assert set(results["conditions"]) == {"execution", "execution_aligned", "none"}
    assert {row["minus"] for row in results["differences"] if row["is_control"]} == {"none"}
