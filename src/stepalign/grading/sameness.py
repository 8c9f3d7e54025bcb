r"""Whether two trees say the same: lists, relations, ratios, matrices and sets, down to formulas.

- A list is compared without its order, and item by item with repeats; a set in braces without repeats. Tuples,
  intervals and matrices are ordered, and a bare list with commas answers for a tuple in its order.
- `x = 5` answers for 5, and 5 for `x = 5`; two equations must be about the same and have the same solutions, up to a
  constant factor. `2x = 10` does not answer for 10.
- Conditions on one symbol and sets of reals are regions (regions.py); other inequalities are compared as equations are.
- Ratios are equal when their terms are in proportion; a ratio of two terms is their quotient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stepalign.grading.equality import equal_at_points, equal_formulas
from stepalign.grading.regions import region
from stepalign.grading.tokens import NoFormula
from stepalign.grading.tree import Node, names, number
from stepalign.grading.values import Undefined, number_value

_SCALARS = frozenset(
    (
        "number",
        "based",
        "symbol",
        "constant",
        "+",
        "*",
        "/",
        "^",
        "root",
        "binom",
        "-",
        "!",
        "abs",
        "percent",
        "degrees",
        "function",
    )
)
_BARE, _JOINED, _BRACES, _PARENTHESES = ("", ""), ("", "and"), (r"\{", r"\}"), ("(", ")")
_ZERO = number(0)
_TURNED = {"<": ">", r"\le": r"\ge"}


def same(gold: Node, answer: Node) -> bool:
    """Whether an answer says what the true one says.

    Raises:
        NoFormula: the two cannot be compared.
        Undefined: the true answer has no value.
    """
    if gold == answer:
        return True
    if gold.op == "chain" and answer.op == "chain":
        return _same_relation(gold, answer)
    if answer.op == "chain" and answer.marks == (r"\in",) and _is_name(answer.args[0]):
        return same(gold, answer.args[1])
    if gold.op == "chain" and gold.marks == (r"\in",) and _is_name(gold.args[0]):
        return same(gold.args[1], answer)
    if _is_equation(answer) and gold.op not in ("or", "and"):
        return any(same(gold, claimed) for claimed in _claimed(answer))
    if _is_equation(gold) and answer.op not in ("or", "and") and _is_name(gold.args[0]):
        return same(gold.args[-1], answer)
    if (gold.marks == _BRACES) != (answer.marks == _BRACES) and answer.op != "chain":
        only, other = (gold, answer) if gold.marks == _BRACES else (answer, gold)
        if len(only.args) == 1 and other.op in _SCALARS:
            return same(only.args[0], other) if only is gold else same(other, only.args[0])
    if gold.op == "list" and answer.op == "list" and _same_list(gold, answer):
        return True
    if gold.op == "matrix" or answer.op == "matrix":
        return _same_matrix(gold, answer)
    if "ratio" in (gold.op, answer.op):
        return _same_ratio(gold, answer)
    if gold.op in _SCALARS and answer.op in _SCALARS:
        signs = _infinity(gold), _infinity(answer)
        if any(signs):
            return signs[0] == signs[1]
        return equal_formulas(gold, answer)
    if gold.op == answer.op and gold.op in ("or", "and", "cup", "cap") and _matched(gold.args, answer.args):
        return True
    if gold.op == answer.op == "list":
        return False
    if names(gold) and names(answer) and names(gold) != names(answer):
        return False
    a, b = region(gold), region(answer)
    return a is not None and a == b


def _infinity(node: Node) -> int:
    """1 for infinity, -1 for minus infinity, 0 for anything else."""
    if node.op == "-":
        return -_infinity(node.args[0])
    return int(node.op == "constant" and node.name == "infty")


def _is_equation(node: Node) -> bool:
    return node.op == "chain" and set(node.marks) <= {"=", r"\approx"}


def _is_name(node: Node) -> bool:
    """Whether a side of an equation names what is asked for: symbols, words, functions, their products and sums."""
    if node.op in ("symbol", "constant"):
        return True
    if node.op == "function":
        return True
    if node.op == "+":
        return all(_is_name(arg.args[0] if arg.op == "-" else arg) for arg in node.args)
    if node.op in ("*", "/", "abs"):
        return all(_is_name(arg) or arg.op == "list" for arg in node.args)
    return node.op == "list" and all(_is_name(arg) for arg in node.args)


def _claimed(equation: Node) -> Sequence[Node]:
    """The values that an equation claims: its last side, unless the first is an unsolved expression in one symbol.

    Before an approximate last side, the exact side and its approximation, where they are near one another.
    """
    first, before, last = equation.args[0], equation.args[-2], equation.args[-1]
    if not _is_name(first) and names(first):
        return ()
    if equation.marks[-1] == r"\approx" and not names(before) | names(last) and _near(before, last):
        return before, last
    return (last,)


def _near(a: Node, b: Node) -> bool:
    try:
        exact, rounded = number_value(a), number_value(b)
    except (NoFormula, Undefined):
        return False
    return abs(exact - rounded) <= abs(exact) / 20


def _same_relation(gold: Node, answer: Node) -> bool:
    if _is_equation(gold) and _is_equation(answer):
        if gold.args[0] == answer.args[0] and same(gold.args[-1], answer.args[-1]):
            return True
        return len(gold.args) == len(answer.args) == 2 and _proportional(gold, answer, signed=False)
    if gold.marks == answer.marks and gold.marks[0] in (r"\in", r"\notin", r"\equiv", r"\to"):
        return all(same(a, b) for a, b in zip(gold.args, answer.args, strict=True))
    a, b = region(gold), region(answer)
    if a is not None and b is not None:
        return a == b and names(gold) == names(answer)
    gold, answer = _turned(gold), _turned(answer)
    if gold.marks != answer.marks:
        return False
    if len(gold.args) == 2:
        return _proportional(gold, answer, signed=gold.marks != (r"\ne",))
    return all(same(a, b) for a, b in zip(gold.args, answer.args, strict=True))


def _turned(chain: Node) -> Node:
    """An inequality with its larger side first."""
    if not set(chain.marks) <= set(_TURNED):
        return chain
    return Node("chain", chain.args[::-1], marks=tuple(_TURNED[relation] for relation in chain.marks[::-1]))


def _proportional(gold: Node, answer: Node, *, signed: bool) -> bool:
    """Whether the differences of the two sides are one another times a constant; signed: a positive one."""
    a, b = (Node("+", (chain.args[0], Node("-", (chain.args[1],)))) for chain in (gold, answer))
    if names(a) != names(b) or not names(a) or equal_at_points(b, _ZERO):
        return False
    a2, b2 = _renamed(a), _renamed(b)
    if not equal_at_points(Node("*", (a, b2)), Node("*", (b, a2))):
        return False
    return not signed or equal_at_points(Node("abs", (Node("/", (a, b)),)), Node("/", (a, b)))


def _renamed(node: Node) -> Node:
    """The formula with every symbol another one, so that both stand for two points at once."""
    name = f"{node.name} there" if node.op == "symbol" else node.name
    return replace(node, args=tuple(_renamed(arg) for arg in node.args), name=name)


def _same_list(gold: Node, answer: Node) -> bool:
    golds, answers = _values(gold.args), _values(answer.args)
    if not any(map(_is_equation, golds)):
        answers = _values(answers, family=True)
    unordered = [node.marks in (_BARE, _JOINED, _BRACES) for node in (gold, answer)]
    if all(unordered) and any(map(_is_equation, golds)) != any(map(_is_equation, answers)):
        return False  # x = 2 and y = 3 are not 2 and 3
    if all(unordered) and _BRACES not in (gold.marks, answer.marks):
        return _matched(golds, answers)
    if all(unordered):
        return _covered(golds, answers) and _covered(answers, golds)
    if gold.marks == answer.marks or {gold.marks, answer.marks} == {_BARE, _PARENTHESES}:
        return len(golds) == len(answers) and all(same(a, b) for a, b in zip(golds, answers, strict=True))
    return False


def _values(items: Sequence[Node], *, family: bool = False) -> Sequence[Node]:
    """The values of `x = 1, x = 2`, in a family of `x_1 = 1, x_2 = 2`; else the items themselves."""
    if all(_is_equation(item) for item in items):
        about = {item.args[0].name.partition("_")[0] if family else item.args[0] for item in items}
        if len(about) == 1 and "" not in about:
            return [item.args[-1] for item in items]
    if _is_equation(items[0]) and _is_name(items[0].args[0]) and not any(item.op == "chain" for item in items[1:]):
        return [items[0].args[-1], *items[1:]]  # x = 1 or 2
    return items


def _matched(golds: Sequence[Node], answers: Sequence[Node]) -> bool:
    """Whether the items are the same in some order."""
    if len(golds) != len(answers):
        return False
    left = list(answers)
    for gold in golds:
        match = next((i for i, answer in enumerate(left) if _comparable(gold, answer)), None)
        if match is None:
            return False
        del left[match]
    return True


def _covered(golds: Sequence[Node], answers: Sequence[Node]) -> bool:
    return all(any(_comparable(gold, answer) for answer in answers) for gold in golds)


def _comparable(gold: Node, answer: Node) -> bool:
    try:
        return same(gold, answer)
    except (NoFormula, Undefined):
        return False


def _same_matrix(gold: Node, answer: Node) -> bool:
    """Matrices by their entries; a vector is a matrix of one row or column."""
    if gold.op == answer.op:
        shapes = [[len(row.args) for row in matrix.args] for matrix in (gold, answer)]
        return shapes[0] == shapes[1] and all(map(_entries_equal, gold.args, answer.args))
    matrix, other = (gold, answer) if gold.op == "matrix" else (answer, gold)
    if other.op != "list" or other.marks == _BRACES or min(len(matrix.args), len(matrix.args[0].args)) != 1:
        return False
    vector = Node("list", tuple(entry for row in matrix.args for entry in row.args), marks=other.marks)
    return _entries_equal(vector, other) if matrix is gold else _entries_equal(other, vector)


def _entries_equal(gold: Node, answer: Node) -> bool:
    return len(gold.args) == len(answer.args) and all(map(same, gold.args, answer.args))


def _same_ratio(gold: Node, answer: Node) -> bool:
    if (gold.op == answer.op and len(gold.args) > 2) or (len(answer.args) > 2 and answer.op == "ratio"):
        if len(gold.args) != len(answer.args) or answer.op != "ratio":
            return False
        pairs = [*zip(gold.args, answer.args, strict=True)]
        a, b = pairs[0]
        return all(equal_formulas(Node("*", (x, b)), Node("*", (y, a))) for x, y in pairs[1:])
    if len(gold.args) > 2 and gold.op == "ratio":
        return False
    a, b = (Node("/", node.args) if node.op == "ratio" else node for node in (gold, answer))
    if not names(a):
        number_value(a)  # a true answer without a value is no answer
    return same(a, b)
