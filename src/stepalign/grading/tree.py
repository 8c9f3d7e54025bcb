"""The tree of a formula: what the parser builds and the comparison reads.

A node is an operation on nodes, or a leaf. Scalars:

| op | args | data |
|---|---|---|
| `number` | | a `Number`: exact value and stated precision |
| `based` | | (digits, base) |
| `symbol`, `constant` | | its name; constants are `pi`, `e`, `i`, `infty` |
| `+`, `*` | the terms | |
| `/`, `^`, `root` (radicand, index), `binom` | two | |
| `-`, `!`, `abs`, `percent`, `degrees` | one | |
| `function` | its arguments | its name; `log` may have a second argument, the base |

Others: `list` (items; data is the pair of brackets, two empty ones for a bare list), `chain` (sides; data are the
relations between them), `or` and `and` (relations), `cup`, `cap`, `setminus` (two sets), `ratio` (terms), `matrix` (rows,
each a `list`), `set` (data is the name of a set of numbers).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stepalign.grading.numbers import Number

Data = Number | str | tuple[str, ...] | None


@dataclass(frozen=True)
class Node:
    """One node of a formula (see the module)."""

    op: str
    args: tuple[Node, ...] = ()
    data: Data = None

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for arg in self.args:
            yield from arg.walk()


def names(node: Node) -> frozenset[str]:
    """The names of the symbols in a formula."""
    return frozenset(str(part.data) for part in node.walk() if part.op == "symbol")


def has_constant(node: Node, name: str) -> bool:
    """Whether a constant stands in a formula."""
    return any(part.op == "constant" and part.data == name for part in node.walk())
