"""The examples of the docstrings run and give what they say."""

from __future__ import annotations

import ast
import doctest
import re

import pytest

from .examples import examples, given, unprompted
from .pages import ROOT

PACKAGE = ROOT / "src" / "stepalign"

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
NOT_RUN = {  # docstring: why
    "stepalign.core.hub": "needs the hub",
    "stepalign.data.sources.hub": "needs the hub",
}

EXAMPLES = {test.name: test for test in examples()}


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - NOT_RUN))
def test_an_example_gives_what_it_says(name, reader, request):
    test = EXAMPLES[name]
    test.globs.update({name: request.getfixturevalue(name) for name in given(test)})
    said: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append)
    assert not said, "".join(said)


def test_what_is_code_is_an_example():
    """Python in a docstring stands behind `>>>`, so that it runs here."""
    assert not [*unprompted()]


def test_what_is_not_run_is_there():
    assert NOT_RUN.keys() <= EXAMPLES.keys()


def test_functions_that_take_tensors_say_their_shapes():
    shape = re.compile(r"\(([A-Z0-9]\w*(, )?)+( of the teacher)?,?\)")
    silent = []
    for path in sorted((PACKAGE / "maths").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        public = [node for node in tree.body if not getattr(node, "name", "_").startswith("_")]
        nodes = [node for part in public for node in ast.walk(part) if isinstance(node, ast.FunctionDef)]
        for node in nodes:
            kinds = [ast.unparse(a.annotation) for a in (*node.args.args, *node.args.kwonlyargs) if a.annotation]
            if any("Tensor" in kind for kind in kinds) and not shape.search(ast.get_docstring(node) or ""):
                silent.append(f"{path.name}: {node.name}")
    assert not silent
