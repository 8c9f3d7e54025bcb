r"""Grade programs by running them: against the tests of their problem, in processes that survive whatever they do.

What tests ask of a function, and whether a printed text is the one expected, is decided outside of the process in which
the program runs (`stepalign.execution`).

    >>> problem = Problem("p1", "Write add(a, b).", tests=Tests(asserts=("assert add(2, 2) == 4",)))
    >>> with ProgramGrader(timeout_s=5.0, memory_limit_mb=1024) as grader:
    ...     grade = grader.grade("def add(a, b):\n    return a - b", problem)
    >>> grade.outcome.value, grade.detail.message
    ('wrong', 'expected 4, got 0')
"""

from __future__ import annotations

import ast
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from queue import LifoQueue

from stepalign.core.problem import Example, Problem, Tests
from stepalign.core.program import Code, find_code, joined, parses
from stepalign.core.rollout import Detail, Grade, Outcome
from stepalign.execution.sandbox import Report, RunJob, Sandbox, TestJob

SHOWN = 200  # characters of a value in a message
_NAMELESS = {Outcome.TIMEOUT: "Timeout", Outcome.MEMORY: "MemoryLimit"}


class ProgramGrader:
    """Grades programs; may be called from as many threads as it has workers.

    Args:
        timeout_s: seconds that one program may take; of a program that is given examples, for each.
        memory_limit_mb: address space of one program.
        num_workers: processes, each started when first needed.
    """

    def __init__(self, *, timeout_s: float, memory_limit_mb: int, num_workers: int = 1) -> None:
        self._limits = (timeout_s, memory_limit_mb)
        self._num_workers = num_workers
        self._hire()

    def grade(self, text: str, problem: Problem, *, thinking_open: bool = False) -> Grade:
        """Grade a response. No response raises; each has an outcome.

        Args:
            problem: one that has tests.
            thinking_open: the prompt ended inside `<think>`.
        """
        assert problem.tests is not None
        code = find_code(text, problem.tests.function, prompt=problem.problem, thinking_open=thinking_open)
        if code is None:
            return Grade(Outcome.UNPARSEABLE)
        idle = self._idle
        sandbox = idle.get()
        try:
            report = _run(sandbox, code, problem, problem.tests)
        finally:
            idle.put(sandbox)
        if report.outcome is Outcome.CORRECT:
            return Grade(Outcome.CORRECT, code.text)
        kind = report.type or _NAMELESS[report.outcome]
        return Grade(report.outcome, code.text, detail=Detail(kind, report.message, report.line, report.test))

    def close(self) -> None:
        """End the processes. The grader may be used again; it then starts new ones."""
        for sandbox in self._sandboxes:
            sandbox.close()
        self._hire()

    def __enter__(self) -> ProgramGrader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _hire(self) -> None:
        self._sandboxes = [Sandbox(*self._limits) for _ in range(self._num_workers)]
        self._idle: LifoQueue[Sandbox] = LifoQueue()
        for sandbox in reversed(self._sandboxes):
            self._idle.put(sandbox)


def _run(sandbox: Sandbox, code: Code, problem: Problem, tests: Tests) -> Report:
    if tests.examples:
        return _run_examples(sandbox, code.text, tests.examples)
    task = _task(problem)
    preamble, source, before = task.preamble, code.text, 0
    if code.is_completion:
        preamble, source = "", joined(problem.problem, code.text)
        before = problem.problem.count("\n")
    job = TestJob(
        source,
        tests.check or "\n".join(tests.asserts),
        tests.setup,
        problem.problem,
        preamble,
        tests.entry_point if tests.check else None,
        task.provided,
    )
    report = sandbox.run(job)
    if report.outcome is Outcome.CORRECT and _redefines(source, task.helpers):
        report = sandbox.run(replace(job, uses_own_helpers=True))
    line = report.line - before if report.line is not None and report.line > before else None
    return report._replace(line=line)


def _run_examples(sandbox: Sandbox, code: str, examples: tuple[Example, ...]) -> Report:
    """The report on the first example that fails."""
    for example in examples:
        report = sandbox.run(RunJob(code, example.stdin))
        if report.outcome is Outcome.CORRECT:
            report = compare_output(example.stdout, report.stdout or "")
        if report.outcome is not Outcome.CORRECT:
            return report._replace(test=f"stdin: {_short(example.stdin)}")
    return Report(Outcome.CORRECT)


def compare_output(expected: str, got: str) -> Report:
    r"""Whether a program printed what is expected: the same lines, less white space at their ends and empty ones at the
    end; where a line differs, the same words, of which numbers may be spelled differently.

    >>> compare_output("1 2\n", "1.0  2 \n\n").outcome.value, compare_output("1\n2", "1\n3").message
    ('correct', "line 2: expected '2', got '3'")
    """
    wanted, printed = (text.rstrip().split("\n") for text in (expected, got))
    for number, (a, b) in enumerate(zip(wanted, printed, strict=False), start=1):
        if a.rstrip() != b.rstrip() and [*map(_word, a.split())] != [*map(_word, b.split())]:
            message = f"line {number}: expected {_short(a.rstrip())!r}, got {_short(b.rstrip())!r}"
            return Report(Outcome.WRONG, "WrongAnswer", message)
    if len(wanted) != len(printed):
        return Report(Outcome.WRONG, "WrongAnswer", f"expected {len(wanted)} lines, got {len(printed)}")
    return Report(Outcome.CORRECT)


def _word(word: str) -> str | Decimal:
    with suppress(InvalidOperation):
        number = Decimal(word)
        return number if number.is_finite() else word
    return word


@dataclass(frozen=True)
class _Task:
    """What a problem's own code says: the statements before the function asked for; the other names that its prompt
    defines, with their definitions; the names that a program must define."""

    preamble: str
    helpers: dict[str, set[str]]
    provided: tuple[str, ...]


@lru_cache(maxsize=1024)
def _task_of(prompt: str, solution: str, entry_point: str | None) -> _Task:
    head: list[ast.stmt] = []
    if parses(prompt):
        head = [node for node in ast.parse(prompt).body if entry_point is None or entry_point not in _names_of(node)]
    helpers = _definitions(head)
    reference = solution if parses(solution) else joined(prompt, solution)
    given = _definitions(ast.parse(reference).body) if solution and parses(reference) else {}
    provided = {name for name in given if name not in helpers} | ({entry_point} if entry_point else set())
    preamble = ast.unparse(ast.Module(head, [])) if helpers or any(map(_imports, head)) else ""
    return _Task(preamble, helpers, tuple(sorted(provided)))


def _task(problem: Problem) -> _Task:
    assert problem.tests is not None
    return _task_of(problem.problem, problem.solution or "", problem.tests.function)


def _redefines(source: str, helpers: dict[str, set[str]]) -> bool:
    """Whether a program defines a helper of its prompt otherwise than the prompt does."""
    if not helpers or not parses(source):
        return False
    own = _definitions(ast.parse(source).body)
    return any(own[name] - helpers[name] for name in helpers if name in own)


def _definitions(body: list[ast.stmt]) -> dict[str, set[str]]:
    """What is defined at the top of some code, each name with how."""
    found: dict[str, set[str]] = {}
    for node in body:
        for name in _names_of(node):
            found.setdefault(name, set()).add(ast.dump(node))
    return found


def _names_of(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    return []


def _imports(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
