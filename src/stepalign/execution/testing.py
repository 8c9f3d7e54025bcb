"""Run the tests of a problem against a program in another process, and tell which one failed and how.

Tests are Python, by the author of the problem: `check(candidate)`, or assertions that call functions by their names. A
name that they use and do not define is looked up in this order: Python's builtins, the problem's own code (imports and
helper functions in its prompt), the program. So a program that redefines `abs`, or a helper of the prompt, does not
change what its tests mean. `uses_own_helpers` asks for the other way round, as where all run in one namespace.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType
from typing import Any

from stepalign.execution.channel import Channel
from stepalign.execution.program import SOLUTION
from stepalign.execution.remote import Session, Stopped
from stepalign.execution.verdicts import Verdict, cut, failed

TEST = "<test>"
CACHED = 256  # problems whose tests are kept compiled
SHOWN = 200  # characters of a value in a message
_GOT, _EXPECTED = "__got__", "__expected__"
_BUILTIN = frozenset(vars(builtins))


def run_tests(job: dict[str, Any], channel: Channel) -> Verdict:
    """The verdict on a program that passes its tests.

    Args:
        job: `TestJob` as JSON.
    Raises:
        Stopped: it fails one, with the verdict; or it is gone, without.
    """
    source = job["setup"] + "\n" + job["test"] if job["setup"] else job["test"]
    tests = tests_of(source)
    session = Session(channel)
    namespace = _run_prompt(job["prompt"])
    helpers: set[str] = set() if job["uses_own_helpers"] else set(namespace)
    names = {*job["provided"], *(tests.names - _BUILTIN - helpers)}
    for name in job["provided"]:
        namespace.pop(name, None)  # a prompt may hold the head of the function asked for
    namespace |= session.load([[job["preamble"], "<prompt>"], [job["code"], SOLUTION]], sorted(names))
    candidate: str | None = job["entry_point"]
    if candidate is not None and candidate not in namespace:
        raise Stopped(failed("NameError", f"the program does not define '{candidate}'"))
    namespace |= {_GOT: tests.seen_got, _EXPECTED: tests.seen_expected}
    try:
        exec(tests.code, namespace)
        if candidate is not None and tests.has_check:
            namespace["check"](namespace[candidate])
    except Stopped as stop:
        stop.test = tests.where(stop)
        raise
    except BaseException as error:
        raise Stopped(tests.verdict_on(error), tests.where(error)) from error
    if session.stopped is not None:  # caught by a bare except in a test
        raise session.stopped
    return {"outcome": "correct"}


def _run_prompt(prompt: str) -> dict[str, Any]:
    """What the problem's text defines, where it is Python."""
    namespace: dict[str, Any] = {"__name__": "tests"}
    with contextlib.suppress(Exception):
        exec(_compiled_prompt(prompt), namespace)
    return namespace


@lru_cache(maxsize=CACHED)
def _compiled_prompt(prompt: str) -> CodeType:
    return compile(prompt, "<prompt>", "exec", dont_inherit=True)


@lru_cache(maxsize=CACHED)
def tests_of(source: str) -> Tests:
    """The tests of this code; a problem's programs come one after the other."""
    return Tests(source)


class Tests:
    """The tests' code, changed so that the two sides of an `assert a == b` are remembered.

    Attributes:
        code: the code, compiled.
        names: all that are used.
        has_check: whether it defines `check`.
    """

    def __init__(self, source: str) -> None:
        """Raises SyntaxError."""
        tree = ast.parse(source)
        self.names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        self.has_check = any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in tree.body)
        self._source, self._statements = source, list(_simple_statements(tree))
        self._comparisons = {
            node.lineno for node in self._statements if isinstance(node, ast.Assert) and _compares(node)
        }
        watched = ast.fix_missing_locations(_Watch().visit(tree))
        self.code: CodeType = compile(watched, TEST, "exec", dont_inherit=True)
        self._got: Any = None
        self._expected: Any = None

    def seen_got(self, value: Any) -> Any:
        """Remember what the program gave."""
        self._got = value
        return value

    def seen_expected(self, value: Any) -> Any:
        """Remember what it should have given."""
        self._expected = value
        return value

    def verdict_on(self, error: BaseException) -> Verdict:
        """What it means that a test raised: an exception of the program is an error, any other a wrong answer."""
        verdict = getattr(error, "verdict", None)
        if verdict is not None:
            return verdict
        if isinstance(error, NameError):
            return failed("NameError", str(error))
        if not isinstance(error, AssertionError):
            return failed("WrongAnswer", f"the test raised {type(error).__name__}: {error}", outcome="wrong")
        said = str(error)
        if self._is_comparison(error):
            said = f"expected {_shown(self._expected)}, got {_shown(self._got)}"
        return failed("WrongAnswer", said or "the assertion does not hold", outcome="wrong")

    def where(self, error: BaseException) -> dict[str, str]:
        """The test in which it was raised, where there is one."""
        found = self._statement(error)
        return {"test": cut(ast.get_source_segment(self._source, found) or "")} if found else {}

    def _is_comparison(self, error: BaseException) -> bool:
        found = self._statement(error)
        return found is not None and found.lineno in self._comparisons

    def _statement(self, error: BaseException) -> ast.stmt | None:
        line, traceback = None, error.__traceback__
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == TEST:
                line = traceback.tb_lineno
            traceback = traceback.tb_next
        if line is None:
            return None
        around = [node for node in self._statements if node.lineno <= line <= (node.end_lineno or node.lineno)]
        return around[-1] if around else None


class _Watch(ast.NodeTransformer):
    """`assert a == b` becomes `assert got(a) == expected(b)`; the side that is written out is what is expected."""

    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        if _compares(node):
            assert isinstance(node.test, ast.Compare)
            left, right = node.test.left, node.test.comparators[0]
            names = (_EXPECTED, _GOT) if _is_written_out(left) else (_GOT, _EXPECTED)
            node.test.left, node.test.comparators[0] = _wrapped(names[0], left), _wrapped(names[1], right)
        return node


def _compares(node: ast.Assert) -> bool:
    return (
        isinstance(node.test, ast.Compare) and len(node.test.ops) == 1 and isinstance(node.test.ops[0], ast.Eq | ast.Is)
    )


def _wrapped(name: str, value: ast.expr) -> ast.expr:
    call = ast.Call(ast.Name(name, ast.Load()), [value], [])
    return ast.copy_location(call, value)


def _is_written_out(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return False
    return True


def _simple_statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Statements without others in them, in order."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.stmt) and not any(isinstance(child, ast.stmt) for child in ast.iter_child_nodes(node)):
            yield node
        else:
            yield from _simple_statements(node)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
