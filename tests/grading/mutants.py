"""Programs with one operator, constant or comparison changed, and the official test of each by itself."""

from __future__ import annotations

import ast
import os
import resource
import signal

COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitXor: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


def mutants(prompt, solution):
    """One program for each place in the solution where something can be changed."""
    source, first = prompt + solution, prompt.count("\n") + 1
    for i in range(len(_places(ast.parse(source), first))):
        tree = ast.parse(source)
        _change(*_places(tree, first)[i])
        yield ast.unparse(tree)


def passes_by_itself(program, tests, timeout_s):
    """Whether the official test runs to its end, in a process of its own that runs nothing else."""
    pid = os.fork()
    if pid == 0:
        try:
            resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, timeout_s)
            for fd in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), fd)
            exec(f"{program}\n{tests.check}\ncheck({tests.entry_point})", {})
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _places(tree, first):
    places = []
    for node in ast.walk(tree):
        if getattr(node, "lineno", 0) < first:
            continue
        if isinstance(node, ast.Compare):
            places += [(node, i) for i, op in enumerate(node.ops) if type(op) in COMPARISONS]
        elif (
            isinstance(node, ast.BoolOp)
            or (isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS)
            or (isinstance(node, ast.Constant) and type(node.value) in (int, float, bool))
        ):
            places.append((node, 0))
    return places


def _change(node, i):
    if isinstance(node, ast.Compare):
        node.ops[i] = COMPARISONS[type(node.ops[i])]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.Constant):
        node.value = not node.value if isinstance(node.value, bool) else node.value + 1
    else:
        node.op = OPERATORS[type(node.op)]()
