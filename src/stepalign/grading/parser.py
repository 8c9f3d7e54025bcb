r"""Parse a normalized answer into a tree: lists, relations, sets, ratios and matrices around formulas.

    >>> tree = parse("x<2 or x>3")
    >>> tree.op, [relation.op for relation in tree.args]
    ('or', ['chain', 'chain'])

A formula is read by formula.py. What neither knows (integrals, sums, cases) is no formula: it is graded by its text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stepalign.grading.formula import parse_formula
from stepalign.grading.tokens import NoFormula, Token, tokenize
from stepalign.grading.tree import Node, names

RELATIONS = frozenset(
    ("=", "<", ">", r"\le", r"\ge", r"\ne", r"\in", r"\notin", r"\approx", r"\equiv", r"\to"),
)
_OPEN = {
    "(": ")",
    "[": "]",
    "{": "}",
    r"\{": r"\}",
    r"\langle": r"\rangle",
    r"\lfloor": r"\rfloor",
    r"\lceil": r"\rceil",
}
_CLOSE = frozenset(_OPEN.values())


def parse(text: str, *, greedy: bool = True) -> Node:
    r"""The tree of a normalized text.

    Args:
        greedy: whether the argument of a function without brackets takes all factors that follow (`\sin \omega t`) or
            the first symbol only (`\sin\theta \, E`).
    Raises:
        NoFormula: the text is none that this grammar has.
    """
    try:
        return _list(tokenize(text), greedy)
    except RecursionError:
        raise NoFormula("too deep") from None


def split(tokens: Sequence[Token], is_separator: Callable[[Token], bool]) -> tuple[list[list[Token]], list[Token]]:
    """The parts between the separators outside brackets, and the separators."""
    parts: list[list[Token]] = [[]]
    separators: list[Token] = []
    depth = 0
    for token in tokens:
        if token.text in _OPEN or token.text == r"\begin":
            depth += 1
        elif token.text in _CLOSE or token.text == r"\end":
            depth -= 1
        if depth == 0 and is_separator(token):
            separators.append(token)
            parts.append([])
        else:
            parts[-1].append(token)
    return parts, separators


def _list(tokens: Sequence[Token], greedy: bool) -> Node:
    """A bare list, or relations joined by "or" or "and", or the only item."""
    inequality = any(token.text in ("<", ">", r"\le", r"\ge") for token in tokens)
    separating = (",", ";", r"\or", r"\and", "&", r"\cup" if inequality else ",")
    parts, separators = split(tokens, lambda t: t.text in separating)
    joints = [a for a, part in zip(separators, parts[1:], strict=True) if part]  # ", and" is one joint
    items = [_statement(part, greedy) for part in parts if part]
    if not items or (len(items) < len(parts) and not {r"\or", r"\and"} & {s.text for s in separators}):
        raise NoFormula("an empty item")
    if len(items) == 1:
        return items[0]
    joint = {token.text.replace("cup", "or") for token in joints}
    if all(i.op == "chain" for i in items) and any(map(_is_condition, items)) and joint <= {r"\or"}:
        return Node("or", tuple(items))
    if all(_is_condition(item) for item in items) and r"\or" not in joint and _one_variable(items):
        return Node("and", tuple(items), marks=(",",) if joint == {","} else ())
    if joint == {r"\or"} and any(i.op == "list" and _is_interval(i) for i in items):
        return Node("cup", tuple(items))
    marks = ("", "and") if joint & {r"\or", r"\and"} else ("", "")
    return Node("list", tuple(part for item in items for part in _plus_minus(item)), marks=marks)


def _is_condition(item: Node) -> bool:
    return item.op == "chain" and not set(item.marks) <= {"=", r"\approx"}


def _is_interval(item: Node) -> bool:
    """Whether a pair cannot be a point."""
    return item.marks in (("[", ")"), ("(", "]")) or any(p.name == "infty" for arg in item.args for p in arg.walk())


def _one_variable(items: Sequence[Node]) -> bool:
    return len(frozenset().union(*map(names, items))) == 1


def _plus_minus(item: Node) -> tuple[Node, ...]:
    r"""A bare `a \pm b` is two items of the list around it."""
    return item.args if item.op == "list" and item.marks[0] == "" else (item,)


def _statement(tokens: Sequence[Token], greedy: bool) -> Node:
    sides, relations = split(tokens, lambda t: t.text in RELATIONS)
    if not relations:
        return _sets(tokens, greedy)
    if not all(sides):
        raise NoFormula("a relation without a side")
    return Node("chain", tuple(_sets(side, greedy) for side in sides), marks=tuple(r.text for r in relations))


def _sets(tokens: Sequence[Token], greedy: bool) -> Node:
    for operator in (r"\setminus", r"\cup", r"\cap"):
        parts, found = split(tokens, lambda t, operator=operator: t.text == operator)
        if found:
            return Node(operator[1:], tuple(_sets(part, greedy) for part in parts))
    parts, colons = split(tokens, lambda t: t.text == ":")
    if colons:
        return Node("ratio", tuple(_sets(part, greedy) for part in parts))
    return _signs(tokens, greedy)


def _signs(tokens: Sequence[Token], greedy: bool) -> Node:
    r"""A formula, or the two that `\pm` makes of one."""
    if not any(token.text in (r"\pm", r"\mp") for token in tokens):
        return _item(tokens, greedy)
    both = []
    for plus, minus in (("+", "-"), ("-", "+")):
        signs = {r"\pm": plus, r"\mp": minus}
        both.append(
            _item(
                [t._replace(kind="sign", text=signs.get(t.text, t.text)) if t.text in signs else t for t in tokens],
                greedy,
            )
        )
    return Node("list", tuple(both), marks=("", "and"))


def _item(tokens: Sequence[Token], greedy: bool) -> Node:
    """What brackets around a list, a matrix or a formula mean."""
    if not tokens:
        raise NoFormula("nothing")
    first, last = tokens[0].text, tokens[-1].text
    if first == r"\begin" and len(tokens) > 6:
        return _matrix(tokens, greedy)
    if first == r"\mathbb" or (first == r"\emptyset" and len(tokens) == 1):
        return _named_set(tokens)
    encloses = first in (r"\{", "(", "[", r"\langle") and last in (r"\}", ")", "]", r"\rangle") and _encloses(tokens)
    if first == "{" and last == "}" and _encloses(tokens):
        return _list(tokens[1:-1], greedy)
    if encloses and first == r"\{":
        return _braces(tokens[1:-1], greedy)
    if encloses and tokens[1].text == r"\begin":
        return _item(tokens[1:-1], greedy)
    if encloses and split(tokens[1:-1], lambda t: t.text in (",", ";"))[1]:
        parts, _ = split(tokens[1:-1], lambda t: t.text in (",", ";"))
        brackets = ("(", ")") if first == r"\langle" else (first, last)
        return Node("list", tuple(_list(part, greedy) for part in parts), marks=brackets)
    if encloses and first in "([" and any(t.text in RELATIONS or t.text in (r"\cup", r"\or") for t in tokens):
        return _list(tokens[1:-1], greedy)
    return parse_formula(tokens, greedy=greedy)


def _encloses(tokens: Sequence[Token]) -> bool:
    """Whether the first bracket is closed by the last token and not before; "(" may be closed by "]"."""
    depth = 0
    for i, token in enumerate(tokens):
        depth += (token.text in _OPEN) - (token.text in _CLOSE)
        if depth == 0:
            return i == len(tokens) - 1
    return False


def _braces(tokens: Sequence[Token], greedy: bool) -> Node:
    r"""A set by its elements, or by a condition: `\{x \mid x < 2\}` is its condition."""
    if not tokens:
        return Node("set", name="emptyset")
    halves, bars = split(tokens, lambda t: t.text in ("|", ":"))
    if len(bars) == 1 and any(t.text in RELATIONS for t in halves[1]):
        return _list(halves[1], greedy)
    parts, _ = split(tokens, lambda t: t.text in (",", ";"))
    items = [_list(part, greedy) for part in parts]
    return Node("list", tuple(piece for item in items for piece in _plus_minus(item)), marks=(r"\{", r"\}"))


def _named_set(tokens: Sequence[Token]) -> Node:
    letters = [token.text for token in tokens[1:] if token.text not in "{}"]
    if tokens[0].text == r"\emptyset":
        return Node("set", name="emptyset")
    if len(letters) == 1 and letters[0] in "RZNQC":
        return Node("set", name=letters[0])
    if len(letters) > 1 and letters[1] == "-":  # R - {2}
        at = next(i for i, token in enumerate(tokens) if token.text == "-")
        return Node("setminus", (_named_set(tokens[:at]), _item(tokens[at + 1 :], True)))
    raise NoFormula("an unknown set")


def _matrix(tokens: Sequence[Token], greedy: bool) -> Node:
    """An environment of rows and columns, whatever its brackets."""
    kind, body = _environment(tokens)
    if not kind.endswith("matrix") and kind != "array":
        raise NoFormula(f"an environment {kind}")
    rows, _ = split(body, lambda t: t.text == r"\\")
    return Node("matrix", tuple(_row(row, greedy) for row in rows if row))


def _row(tokens: Sequence[Token], greedy: bool) -> Node:
    cells, _ = split(tokens, lambda t: t.text == "&")
    return Node("list", tuple(_signs(cell, greedy) for cell in cells), marks=("[", "]"))


def _environment(tokens: Sequence[Token]) -> tuple[str, list[Token]]:
    r"""The name and the inside of `\begin{name} ... \end{name}`; of an array, without the letters of its columns."""
    end = max((i for i, token in enumerate(tokens) if token.text == r"\end"), default=0)
    closing = next((i for i, token in enumerate(tokens) if token.text == "}"), 0)
    name = "".join(token.text for token in tokens[2:closing])
    if not end or tokens[-1].text != "}" or "".join(token.text for token in tokens[end + 2 : -1]) != name:
        raise NoFormula("an environment with no end")
    body = list(tokens[closing + 1 : end])
    if name == "array" and body and body[0].text == "{":
        body = body[next((i for i, token in enumerate(body) if token.text == "}"), 0) + 1 :]
    return name, body
