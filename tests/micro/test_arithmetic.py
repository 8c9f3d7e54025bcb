import random

import pytest

from stepalign.micro.arithmetic import columns, compute, num_carries, result


@pytest.mark.parametrize(
    ("value", "op", "operand", "work"),
    [
        (47, "+", 38, [("7+8", 15, 1), ("4+3+1", 8, 0)]),
        (85, "*", 6, [("5*6", 30, 3), ("8*6+3", 51, 0)]),
        (510, "-", 19, [("10-9", 1, 1), ("11-1-1", 9, 1), ("5-0-1", 4, 0)]),
        (95, "+", 7, [("5+7", 12, 1), ("9+0+1", 10, 0)]),
    ],
)
def test_columns_by_hand(value, op, operand, work):
    assert [(c.expression, c.value, c.carry) for c in columns(value, op, operand)] == work


def test_the_columns_spell_the_result():
    rng = random.Random(0)
    for _ in range(2000):
        op = rng.choice("+-*")
        value = rng.randint(10, 999)
        operand = rng.randint(2, 9) if op == "*" else rng.randint(1, value)
        assert result(columns(value, op, operand)) == compute(value, op, operand)


def test_a_forgotten_carry_gives_the_wrong_result_that_follows_from_it():
    work = columns(47, "+", 38, forget=lambda: True)
    assert [(c.expression, c.carry) for c in work] == [("7+8", 0), ("4+3", 0)]
    assert result(work) == 75
    assert num_carries(47, "+", 38) == 1


def test_a_forgotten_borrow_too():
    assert result(columns(53, "-", 19, forget=lambda: True)) == 44
