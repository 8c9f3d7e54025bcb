"""What the examples of docstrings and pages take as given: a reader's directory, and names such as `rollout`."""

from __future__ import annotations

import copy
import csv
import os
import sys
from pathlib import Path
from runpy import run_path

import pytest
from tests.fault_server import Answer, FaultServer

from stepalign.core.files import write_jsonl
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.data.label import Label
from stepalign.data.labels import load_labels
from stepalign.data.problems import load_problems
from stepalign.data.samples import load_samples
from stepalign.micro import SOLVER_DIR, World, exact_critique, split_problems
from stepalign.micro.rollouts import labelled_rollouts, made_rollouts

from .pages import ROOT

RECIPE = """
extends: micro
max_steps: 2
per_device_train_batch_size: 4
probe_steps: 0
max_completion_length: 40
"""
LABELLED = {  # in the columns of Qwen/ProcessBench
    "id": "math-0",
    "generator": "a model",
    "problem": "What is 2 + 2?",
    "steps": ["2 + 2 = 4", "So \\boxed{4}."],
    "final_answer_correct": True,
    "label": -1,
}


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A directory with what a page's reader has before: the checkout's examples, a recipe, problems and samples."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEPALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), str(ROOT)]))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "my.yaml").write_text(RECIPE)
    splits = split_problems(World(), {"problems": 3, "train": 8, "validation": 2}, seed=1)
    for name, problems in splits.items():
        write_jsonl(tmp_path / f"{name}.jsonl", [problem.to_json() for problem in problems])
    write_jsonl(tmp_path / "samples.jsonl", [r.to_json() for r in made_rollouts(splits["problems"], seed=1)])
    write_jsonl(tmp_path / "processbench-math.jsonl", [LABELLED])
    labelled = labelled_rollouts(splits["problems"] + splits["train"], seed=1)
    write_jsonl(tmp_path / "labels.jsonl", [Label(rollout, wrong).to_json() for rollout, wrong in labelled])
    with (tmp_path / "gsm8k.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("question", "answer"), *(in_gsm8k(2 * i + 3, i + 5) for i in range(24))])


def in_gsm8k(a, b):
    """A problem in the columns of GSM8K."""
    total = f"She has {a} + {b} = <<{a}+{b}={a + b}>>{a + b} apples.\n#### {a + b}"
    return f"Ann has {a} apples and picks {b} more. How many has she?", total


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "directory").mkdir()
    return tmp_path / "directory"


@pytest.fixture
def model(micro_solver):
    return copy.deepcopy(micro_solver.model)


@pytest.fixture
def student(model):
    return model


@pytest.fixture
def tokenizer(micro_solver):
    return micro_solver.tokenizer


@pytest.fixture
def problems(reader):
    return load_problems("problems.jsonl")


@pytest.fixture
def rollouts(problems):
    return load_samples("samples.jsonl", problems)


@pytest.fixture
def labels(reader):
    return load_labels("labels.jsonl")


@pytest.fixture
def base_url():
    """Of a server that answers 4."""
    with FaultServer(lambda number, body: Answer("4")) as server:
        yield server.url


@pytest.fixture
def rollout(tokenizer):
    """The first of two steps is right, in the second a carry is dropped."""
    text = (
        "<step_1>Now add 38: 7+8=15 carry 1; 4+3+1=8. So 85.</step_1>\n"
        "<step_2>Then times 2: 5*2=10 carry 1; 8*2=16. So 160.</step_2>\n<answer>160</answer>"
    )
    problem = Problem("p1", "Start with 47. Add 38. Times 2.", "170", "47 plus 38 is 85. Twice 85 is 170.")
    return Rollout(problem, 0, text, tuple(tokenizer.encode(text, add_special_tokens=False)))


@pytest.fixture
def critique(rollout):
    return exact_critique(rollout)


@pytest.fixture
def grader():
    from stepalign.grading import Grader

    with Grader() as grader:
        yield grader


@pytest.fixture
def critic(grader):
    from stepalign.feedback.critics.functions import FunctionCritic

    return FunctionCritic(exact_critique, grader.grade, name="exact")


@pytest.fixture(scope="session")
def case():
    from stepalign.signal.case import make_case, read_case_file

    path = ROOT / "examples" / "cases" / "micro-one-wrong-step.yaml"
    return make_case(read_case_file(path), str(path))


@pytest.fixture(scope="session")
def result(case, micro_solver):
    """An inspection, as `stepalign inspect` makes it."""
    from stepalign.signal.inspect import inspect_response

    return inspect_response(case, *micro_solver)


@pytest.fixture
def run(directory):
    from stepalign.runs.reading import read_run

    path = ROOT / "tests" / "report" / "comparison" / "synthetic_run.py"
    return read_run(run_path(str(path))["write_run"](directory))


@pytest.fixture
def trainer(model, tokenizer, problems, directory):
    from stepalign.feedback.from_references import RefSol
    from stepalign.settings.trainer import SelfDistillationConfig
    from stepalign.training.self_distillation import SelfDistillationTrainer

    args = SelfDistillationConfig(str(directory), per_device_train_batch_size=2)
    return SelfDistillationTrainer(model, feedback=RefSol(), problems=problems, args=args, processing_class=tokenizer)


@pytest.fixture
def trained(problems):
    """The directory of a training run of one step."""
    from stepalign.api import train

    settings = {"condition": "refsol", "train_problems": "problems.jsonl", "max_steps": 1, "max_completion_length": 160}
    train("my.yaml", per_device_train_batch_size=2, output_dir="runs/refsol", **settings)
    return Path("runs/refsol")


@pytest.fixture
def rows(problems, model, tokenizer, grader, directory):
    """Of a preflight of refsol."""
    from stepalign.feedback.from_references import RefSol
    from stepalign.models.sampling import Sampling
    from stepalign.signal.policy import Policy
    from stepalign.signal.preflight import Preflight
    from stepalign.signal.preflight_records import Records

    sampling = Sampling(num_samples=2, max_new_tokens=160)
    policy = Policy(model, tokenizer, "bare")
    preflight = Preflight(Records(directory), problems, policy, sampling, grader, {"refsol": RefSol()})
    for stage in preflight.stages():
        assert list(stage.run())
    return preflight.rows()


@pytest.fixture
def arguments(reader):
    from stepalign.settings.curate import CurateSettings

    return CurateSettings(
        source="problems.jsonl", solver_model=str(SOLVER_DIR), num_samples=2, max_new_tokens=160, output_dir="curated"
    )


@pytest.fixture
def candidates(problems):
    from stepalign.curation.screen import Candidate

    return [Candidate(i, problem) for i, problem in enumerate(problems)]


@pytest.fixture
def store(directory):
    from stepalign.curation.store import Store

    store = Store(directory / "store.sqlite")
    yield store
    store.close()
