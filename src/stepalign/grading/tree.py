"""The tree of a formula: what the parser builds and the comparison reads.

A node is an operation on nodes, or a leaf. Scalars:

| op | args | beside them |
|---|---|---|
| `number` | | `number`: its exact value and stated precision |
| `based` | | `marks`: digits and base |
| `symbol`, `constant` | | `name`; constants are `pi`, `e`, `i`, `infty` |
| `+`, `*` | the terms | |
| `/`, `^`, `root` (radicand, index), `binom` | two | |
| `-`, `!`, `abs`, `percent`, `degrees` | one | |
| `function` | its arguments | `name`; `log` may have a second argument, the base |

Others: `list` (items; `marks` are its two brackets; a bare list has ("", ""), or ("", "and") if words join it),
`chain` (sides; `marks` are the relations between them), `or` and `and` (relations; an `and` that is written as a
comma has it as its mark), `cup`, `cap`, `setminus` (sets), `ratio` (terms), `matrix` (rows, each a `list`), `set` (a
set of numbers by its `name`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from stepalign.grading.numbers import Number


@dataclass(frozen=True)
class Node:
    """One node of a formula (see the module)."""

    op: str
    args: tuple[Node, ...] = ()
    name: str = ""
    marks: tuple[str, ...] = ()
    number: Number | None = None

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for arg in self.args:
            yield from arg.walk()


def number(value: Fraction | int | Number) -> Node:
    """A leaf of a number."""
    return Node("number", number=value if isinstance(value, Number) else Number(Fraction(value)))


def names(node: Node) -> frozenset[str]:
    """The names of the symbols in a formula."""
    return frozenset(part.name for part in node.walk() if part.op == "symbol")


def has_constant(node: Node, name: str) -> bool:
    """Whether a constant stands in a formula."""
    return any(part.op == "constant" and part.name == name for part in node.walk())
