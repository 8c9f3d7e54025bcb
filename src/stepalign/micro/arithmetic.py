"""Column arithmetic: the working of one operation as columns, with or without its carries.

>>> columns(47, "+", 38)
[Column(expression='7+8', value=15, carry=1), Column(expression='4+3+1', value=8, carry=0)]
>>> result(columns(47, "+", 38))
85
>>> result(columns(47, "+", 38, forget=lambda: True))       # the carry was dropped
75
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Op = Literal["+", "-", "*"]


@dataclass(frozen=True)
class Column:
    """One column: its expression, its value, and the carry (or borrow) that is written down after it, 0 for none."""

    expression: str
    value: int
    carry: int = 0

    @property
    def digit(self) -> int:
        """The digit of the result that this column gives."""
        return self.value % 10


def never() -> bool:
    """No carry is forgotten."""
    return False


def columns(value: int, op: Op, operand: int, forget: Callable[[], bool] = never) -> list[Column]:
    """The columns of `value op operand`, units first; `forget()` is asked at each carry whether to drop it.

    Args:
        value: not negative; for "-" at least `operand`.
        op: "+", "-" (both with an operand of any length) or "*" (operand 2 to 9).
        operand: not negative.
        forget: called once a carry or borrow; True leaves it out.
    """
    digits = [int(d) for d in reversed(str(value))]
    others = [operand] * len(digits) if op == "*" else [int(d) for d in reversed(str(operand))]
    length = max(len(digits), len(others))
    digits += [0] * (length - len(digits))
    others += [0] * (length - len(others))
    worked: list[Column] = []
    carry = 0
    for i, (digit, other) in enumerate(zip(digits, others, strict=True)):
        last = i == length - 1
        tail = "" if carry == 0 else f"{'-' if op == '-' else '+'}{carry}"
        if op == "-":
            total = digit - other - carry
            owed = int(total < 0 and not last)
            digit, total = digit + 10 * owed, total + 10 * owed
        else:
            total = (digit * other if op == "*" else digit + other) + carry
            owed = 0 if last else total // 10
        carry = 0 if owed and forget() else owed
        worked.append(Column(f"{digit}{op}{other}{tail}", total, carry))
    return worked


def result(worked: Sequence[Column]) -> int:
    """The number that the columns spell: the digits of all but the last column, then the last one's whole value."""
    lower = "".join(str(column.digit) for column in reversed(worked[:-1]))
    return int(f"{worked[-1].value}{lower}")


def num_carries(value: int, op: Op, operand: int) -> int:
    """How many carries or borrows the operation needs: each is a chance to go wrong."""
    return sum(column.carry > 0 for column in columns(value, op, operand))


def compute(value: int, op: Op, operand: int) -> int:
    """`value op operand`, as it should be."""
    return value + operand if op == "+" else value - operand if op == "-" else value * operand
