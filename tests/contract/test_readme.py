"""The README's Python blocks are short; tests/docs runs them."""

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


def test_the_format_of_the_readme_registers(tmp_path):
    from stepalign.core.problem import Problem
    from stepalign.core.rollout import Rollout
    from stepalign.feedback.formats import build_context, load_plugins

    plugin = tmp_path / "nudge.py"
    plugin.write_text(block("register_feedback"))
    assert len(lines("register_feedback")) <= 10
    load_plugins([str(plugin)])
    assert build_context(Rollout(Problem("p", "?", "7"), 0, ""), "nudge").text == "The answer is 7."
