"""The README's Python lines do what they say."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


def block(part: str) -> str:
    return next(b for b in BLOCKS if part in b)


def lines(part: str) -> list[str]:
    return [line for line in block(part).splitlines() if line.strip()]


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_each_entry_point_takes_three_lines_or_fewer():
    for name in ("parse_trace", "grade_answer", "load_problems", "build_context", "train", "evaluate"):
        assert len(lines(f"import {name}" if name != "build_context" else name)) <= 3


def test_parse_and_grade():
    namespace: dict = {}
    exec(block("parse_trace"), namespace)
    assert namespace["trace"].answer == "4"
    exec(block("grade_answer"), namespace)
    grade = namespace["grade_answer"](r"... so \boxed{\frac{1}{2}}", "0.5")
    assert grade.outcome.value == "correct"


def test_load_build_train_evaluate(tmp_path):
    namespace: dict = {}
    exec(block("load_problems"), namespace)
    assert len(namespace["problems"]) == 64
    exec(block("build_context"), namespace)
    train = block("import train").replace('"runs/refsol"', repr(str(tmp_path / "run")))
    exec(train.replace("max_steps=10", "max_steps=1, per_device_train_batch_size=2"), namespace)
    assert namespace["checkpoints"][-1].name == "checkpoint-1"
    namespace["problems"] = namespace["problems"][:2]
    imports, call = lines("import evaluate")
    exec(imports, namespace)
    assert 0 <= eval(call.replace("num_samples=12", "num_samples=12, max_new_tokens=40"), namespace) <= 1


def test_the_format_of_the_readme_registers(tmp_path):
    from stepalign.core.problem import Problem
    from stepalign.core.rollout import Rollout
    from stepalign.feedback.formats import build_context, load_plugins

    plugin = tmp_path / "hint.py"
    plugin.write_text(block("register_feedback"))
    assert len(lines("register_feedback")) <= 10
    load_plugins([str(plugin)])
    assert build_context(Rollout(Problem("p", "?", "7"), 0, ""), "hint").text == "The answer is 7."
