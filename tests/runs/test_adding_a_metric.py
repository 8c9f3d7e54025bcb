"""A metric of evaluations is a field of `EvaluationMetrics` and a line where it is worked out: nothing else changes."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import stepalign

FIELD = '    mean_steps: Annotated[Number, Metric("mean number of steps", "number", chart=5)] = None\n'
VALUE = "        mean_steps=float(np.mean([len(rollout.trace.steps) for rollout in rollouts])),\n"
SCRIPT = """
import sys
from pathlib import Path

from stepalign.core.files import write_jsonl
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.evaluation.checkpoints import measured
from stepalign.evaluation.evaluate import evaluate_rollouts, grade_rollouts
from stepalign.grading import Grader
from stepalign.report.write import write_report
from stepalign.runs.evaluations import EvaluationRow
from stepalign.runs.files import EVALUATIONS, problems_file, seed_directory
from stepalign.runs.row import append_rows

run, problem = Path(sys.argv[1]), Problem("p", "?", "4")
texts = "<step_1>a</step_1><step_2>b</step_2><answer>4</answer>", "<step_1>a</step_1><answer>5</answer>"
with Grader() as grader:
    rollouts = grade_rollouts([Rollout(problem, i, text) for i, text in enumerate(texts)], grader)
    evaluations = {split: evaluate_rollouts([problem], rollouts, grader) for split in ("validation", "test")}
append_rows(seed_directory(run, "grpo", 0) / EVALUATIONS, EvaluationRow(step=1, **measured(evaluations)))
write_report(run)
"""


def insert(path, before, line):
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, line + before))


def test_a_field_and_its_value_are_in_the_evaluations_and_in_the_report(tmp_path):
    package = Path(stepalign.__file__).parent
    shutil.copytree(
        package, tmp_path / "src" / "stepalign", ignore=shutil.ignore_patterns("__pycache__", "*.safetensors")
    )
    insert(tmp_path / "src/stepalign/runs/evaluations.py", "    ci95: Annotated[", FIELD)
    insert(tmp_path / "src/stepalign/evaluation/evaluate.py", "        ci95={name:", VALUE)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "src")}
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "run")], env=environment, check=True)

    evaluations = tmp_path / "run/conditions/grpo/seed_0/evaluations.jsonl"
    assert json.loads(evaluations.read_text())["test"]["mean_steps"] == 1.5
    html = (tmp_path / "run/report.html").read_text()
    data = json.loads(re.search(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', html, re.S).group(1))
    assert data["rates"][-1] == "mean_steps" and data["metrics"]["mean_steps"]["label"] == "mean number of steps"
    assert data["curves"]["test"][0]["points"][-1]["values"]["mean_steps"] == 1.5
