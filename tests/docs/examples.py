"""The examples in the package's docstrings, and what looks like one and would not be run."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
from collections.abc import Iterator
from importlib import import_module

from .pages import ROOT

SOURCE = ROOT / "src"
MODULES = {
    str(path.relative_to(SOURCE).with_suffix("")).replace("/", ".").removesuffix(".__init__"): path
    for path in sorted((SOURCE / "stepalign").rglob("*.py"))
    if path.name != "__main__.py"
}

GIVEN = {  # fixtures of conftest.py
    *("arguments", "base_url", "candidates", "case", "critic", "critique", "directory", "grader", "labels", "model"),
    "problems",
    *("result", "rollout", "rollouts", "rows", "run", "store", "student", "tokenizer", "trained", "trainer"),
}


def examples() -> Iterator[doctest.DocTest]:
    """The docstrings with `>>>` examples, with the names of their modules as globals."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in MODULES:
        module = import_module(name)
        yield from (test for test in finder.find(module, name, module=module) if test.examples)


def given(test: doctest.DocTest) -> set[str]:
    """The names that the examples take as given: they read them, and the module has none of that name."""
    nodes = [node for example in test.examples for node in ast.walk(ast.parse(example.source))]
    return {node.id for node in nodes if isinstance(node, ast.Name)} & GIVEN - set(test.globs)


def unprompted() -> Iterator[str]:
    """Paragraphs of docstrings that are Python with a call or an assignment in it, without `>>>` before it."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = (ast.get_docstring(node) or "") if isinstance(node, kinds) else ""
            for paragraph in re.split(r"\n\s*\n", text):
                if is_code(inspect.cleandoc("\n" + paragraph)):
                    yield f"{name}: {paragraph.strip().splitlines()[0]}"


def is_code(text: str) -> bool:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return False
    return any(isinstance(node, ast.Call | ast.Assign | ast.Raise | ast.Attribute) for node in ast.walk(tree))
