"""The tests of problems that ask for a program, from the shapes in which datasets hold them.

- a text that defines `check(candidate)`, beside the `entry_point` (HumanEval), or a text of assertions;
- a list of assertions (MBPP), with what stands before them;
- a list of inputs and outputs, also as a text of JSON, packed or not (LiveCodeBench); one that calls a function becomes
  an assertion.

>>> row = Row("row 1", {"tests": [{"stdin": "1 2", "stdout": "3"}]})
>>> read_tests(row, TestColumns(("tests",)))
Tests(check='', asserts=(), examples=(Example(stdin='1 2', stdout='3'),), entry_point=None, setup='')
"""

from __future__ import annotations

import ast
import base64
import io
import json
import pickle
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from stepalign.core.problem import Example, Tests
from stepalign.data.row import MISSING, Row, show
from stepalign.data.values import unboxed

TEST_NAMES = ("tests", "test", "test_list", "test_cases", "public_test_cases")
HIDDEN_NAMES = ("private_test_cases",)
SETUP_NAMES = ("setup", "test_setup_code", "test_imports")
STDIN, STDOUT = ("stdin", "input"), ("stdout", "output", "expected_output")


@dataclass(frozen=True)
class TestColumns:
    """Which columns hold the tests and what belongs to them.

    Attributes:
        tests: of which the first that a row has holds them.
        hidden: more tests, beside those.
        starter: code that belongs to the problem's text.
    """

    __test__ = False  # pytest collects classes of this name

    tests: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    entry_point: str | None = None
    setup: tuple[str, ...] = ()
    starter: str | None = None

    def of(self, row: Row) -> list[str]:
        """The columns that hold tests of a row."""
        return [*[column for column in self.tests if row.has(column)][:1], *filter(row.has, self.hidden)]


def are_tests(value: Any) -> bool:
    """Whether a value of a column looks like tests."""
    value = _unpacked(value)
    if isinstance(value, str):
        return "def check(" in value or any(line.lstrip().startswith("assert") for line in value.splitlines())
    if not isinstance(value, list) or not value:
        return False
    items = cast("list[Any]", value)
    return all((isinstance(i, str) and "assert" in i) or (isinstance(i, Mapping) and _has_output(i)) for i in items)


def read_tests(row: Row, columns: TestColumns) -> Tests:
    """The tests of a row.

    Raises:
        DataError: there are none, they are of two kinds, no Python, or `check` has no function to check.
    """
    _check_language(row)
    entry_point = row.string(columns.entry_point) if columns.entry_point and row.has(columns.entry_point) else None
    setup = "\n".join(_lines(row, column) for column in columns.setup if row.has(column)).strip()
    items = [item for column in columns.of(row) for item in _items(row, column)]
    examples = [item for item in items if isinstance(item, Example)]
    asserts = [item for item in items if isinstance(item, str)]
    if not items:
        raise row.error(f"'{columns.tests[0]}' has no tests. Fill it in or remove the line.")
    if examples and asserts:
        raise row.error("the tests are both assertions and inputs with outputs; expected one kind.")
    for source in (setup, *asserts):
        _check_python(row, source)
    if len(asserts) == 1 and _defines_check(asserts[0]):
        if entry_point is None:
            raise row.error("'test' defines check(candidate); expected 'entry_point', the function's name. Add it.")
        return Tests(check=asserts[0], entry_point=entry_point, setup=setup)
    return Tests(asserts=tuple(asserts), examples=tuple(examples), entry_point=entry_point, setup=setup)


def _items(row: Row, column: str) -> list[str | Example]:
    value = _unpacked(row.value(column))
    if isinstance(value, str):
        return [value] if value.strip() else []
    if not isinstance(value, list):
        raise row.error(f"'{column}' is {show(value)}; expected Python with assertions, or a list of tests.")
    return [_item(row, column, item) for item in cast("list[Any]", value)]


def _item(row: Row, column: str, item: Any) -> str | Example:
    if isinstance(item, str):
        return item
    if isinstance(item, Mapping):
        test = cast("Mapping[str, Any]", item)
        given, wanted = (next((test[name] for name in names if name in test), None) for names in (STDIN, STDOUT))
        if isinstance(given, str) and isinstance(wanted, str):
            return _call(row, given, wanted) if test.get("testtype") == "functional" else Example(given, wanted)
    raise row.error(f"a test in '{column}' is {show(item)}; expected an assertion, or {{'stdin': ..., 'stdout': ...}}.")


def _call(row: Row, arguments: str, result: str) -> str:
    """LiveCodeBench's test of a method of a class `Solution`: a line of JSON an argument, and the result as JSON."""
    metadata = row.value("metadata")
    try:
        name = (json.loads(metadata) if isinstance(metadata, str) else metadata)["func_name"]
        values = ", ".join(repr(json.loads(line)) for line in arguments.splitlines() if line.strip())
        return f"assert Solution().{name}({values}) == {json.loads(result)!r}"
    except (ValueError, TypeError, KeyError):
        raise row.error("a functional test has no function; expected metadata with 'func_name'.") from None


def _unpacked(value: Any) -> Any:
    """The value of a text of JSON, or of LiveCodeBench's packed ones (JSON, pickled, zlib, base64); else as it is."""
    value = unboxed(value)
    if not isinstance(value, str) or value.lstrip()[:1] not in ("[", "e"):
        return value
    text = value
    if value[:2] == "eJ":  # how zlib's best-known level begins in base64
        try:
            text = _Text(io.BytesIO(zlib.decompress(base64.b64decode(value)))).load()
        except (ValueError, zlib.error, pickle.UnpicklingError, EOFError):
            return value
    try:
        found: Any = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return value
    return found if isinstance(found, list) else value


class _Text(pickle.Unpickler):
    """Reads texts; nothing that would call anything."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuses everything."""
        raise pickle.UnpicklingError(f"{module}.{name} is no text")


def _has_output(item: Any) -> bool:
    return any(name in item for name in STDIN) and any(name in item for name in STDOUT)


def _lines(row: Row, column: str) -> str:
    value = unboxed(row.value(column))
    return "\n".join(map(str, cast("list[Any]", value))) if isinstance(value, list) else row.string(column, empty=True)


def _check_python(row: Row, source: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in strings
            ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise row.error(f"a test is no Python: {error}. Correct the line.") from None


def _defines_check(source: str) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in ast.parse(source).body)


def _check_language(row: Row) -> None:
    language = row.value("language")
    if language not in (None, MISSING, "") and str(language).lower() not in ("python", "python3", "py"):
        raise row.error(f"'language' is {show(language)}; expected python. Remove the line.")
